"""Embeddings that are not finite: every figure refuses them, by name and count."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import finite_vectors
from trainer.evaluation.angles import angle_histogram, mean_angles
from trainer.evaluation.finite_vectors import check_finite
from trainer.evaluation.identification import identify, replace_noisy_probes
from trainer.evaluation.retrieval import average_precisions
from trainer.evaluation.templates import Templates, pool
from trainer.subcenters import dominant_angles

Rows = NDArray[np.floating]
GOOD = np.eye(4, 5)
NUMBERS = np.array([0, 0, 1, 1])

METRICS: dict[str, tuple[Callable[[Rows], object], str]] = {
    "probes": (lambda x: identify(x, NUMBERS, [GOOD]), "2 of 4 probes"),
    "distractors": (lambda x: identify(GOOD, NUMBERS, [GOOD, x]), "2 of 4 distractors"),
    "noisy probes": (lambda x: replace_noisy_probes(x, NUMBERS, NUMBERS > 0), "2 of 4 probes"),
    "faces of templates": (lambda x: pool(x, NUMBERS, NUMBERS), "2 of 4 faces"),
    "scores of faces": (lambda x: pool(GOOD, NUMBERS, NUMBERS, score=x[:, 1]), "2 of 4 detector's scores"),
    "templates": (lambda x: Templates(np.arange(4), x.astype(np.float32), NUMBERS), "2 of 4 templates"),
    "queries": (lambda x: average_precisions(x, NUMBERS, GOOD, NUMBERS), "2 of 4 queries"),
    "gallery": (lambda x: average_precisions(GOOD, NUMBERS, x, NUMBERS), "2 of 4 videos"),
    "embeddings": (lambda x: mean_angles(x, NUMBERS), "2 of 4 embeddings"),
    "class weights": (lambda x: mean_angles(GOOD, np.arange(4), x), "2 of 4 class weights"),
    "pairs of embeddings": (lambda x: angle_histogram(x, NUMBERS), "2 of 4 embeddings"),
    "photos": (lambda x: dominant_angles(x, NUMBERS, GOOD), "2 of 4 embeddings"),
    "class centres": (lambda x: dominant_angles(GOOD, NUMBERS, x), "2 of 4 class centres"),
}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("measure", "message"), METRICS.values(), ids=METRICS)
def test_every_figure_refuses_vectors_that_are_not_finite(
    measure: Callable[[Rows], object], message: str, value: float
) -> None:
    measure(GOOD)
    x = GOOD.copy()
    x[1, 1] = x[3, 1] = value
    with pytest.raises(UserError, match=f"^{message}.* are not finite \\(the first is row 1\\)"):
        measure(x)


def test_rows_are_counted_over_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite_vectors, "ROWS_AT_ONCE", 3)
    x = np.zeros((10, 2))
    check_finite(x, "rows")
    check_finite(x[:0], "rows")
    x[[2, 4, 9], 0] = np.nan
    with pytest.raises(UserError, match=r"^3 of 10 rows are not finite \(the first is row 2\)"):
        check_finite(x, "rows")
