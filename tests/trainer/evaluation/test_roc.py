"""The two conventions of TAR at FAR, by hand and against InsightFace's rule applied to scikit-learn's curve."""

import numpy as np
import pytest

from tests.builders.drawn_pairs import scored_pairs
from trainer.evaluation.roc import NEAREST, NOT_ABOVE, index_at_far, rank_pairs, roc_curve
from trainer.evaluation.verification import verify


def test_the_rate_that_is_not_above_and_the_nearest_one_by_hand() -> None:
    # falling cosines: genuine .9, impostor .8, genuine .7, impostor .6, genuine .5, impostors .4 and .3
    cosine = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    same = np.array([True, False, True, False, True, False, False])
    roc = roc_curve(rank_pairs(cosine, same))
    asked = {0.25: (0.7, 0.7), 0.3: (0.7, 0.7), 0.4: (0.7, 0.5), 0.375: (0.7, 0.5), 0.2: (0.9, 0.7), 1.0: (0.3, 0.3)}
    for far, thresholds in asked.items():  # FARs are 0, 1/4, 1/2, 3/4 and 1; of 1/4 and 1/2 at .375 the larger one
        got = tuple(float(roc.cosine[index_at_far(roc, far, rule)]) for rule in (NOT_ABOVE, NEAREST))
        assert got == thresholds, far


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_rate_is_that_of_insightface(seed: int) -> None:
    from sklearn.metrics import roc_curve as sklearn_curve  # a second to load, and every test process reads this file

    pairs = scored_pairs(300, seed, digits=2)
    fars = (1e-1, 3e-2, 2e-2)
    verified = verify(pairs.cosine, pairs.same, pairs.fold, fars=fars, far_rule=NEAREST, samples=0)
    far, tar, _ = sklearn_curve(pairs.same, pairs.cosine, drop_intermediate=False)
    far, tar = np.flipud(far), np.flipud(tar)
    expected = {f: tar[min(zip(abs(far - f), range(len(far)), strict=True))[1]] for f in fars}
    assert verified.tar == pytest.approx(expected)
    assert verified.tar != verify(pairs.cosine, pairs.same, pairs.fold, fars=fars, samples=0).tar
