"""A small identification: the same drawn distractors in any blocks, and figures that fit the planted errors."""

import numpy as np
import pytest

from flows.benchmark.megaface import WRONG, draw_distractors, draw_probes, megaface
from pipeline.errors import UserError


def test_rank_1_falls_with_more_distractors_and_fits_the_planted_errors() -> None:
    trial = megaface(probe_photos=400, probe_people=20, distractors=3000, dim=128)
    rank_1 = {r["distractors"]: float(r["value"].split()[0]) for r in trial.figures if r["figure"] == "rank-1"}
    assert list(rank_1) == [10, 100, 1000, 3000]
    assert list(rank_1.values()) == sorted(rank_1.values(), reverse=True)
    assert 0.3 < rank_1[3000] < rank_1[10] < (1 - WRONG) ** 2 + 0.05
    assert trial.peak_gb > 0
    assert f"(the above is {trial.seconds / trial.faiss_seconds:.2f} times that, " in trial.lines()[1]


def test_distractors_are_the_same_in_any_blocks() -> None:
    small, large = (np.concatenate(list(draw_distractors(20_000, 4, 3, block=b))) for b in (1, 1 << 16))
    assert len(small) == 20_000
    assert np.array_equal(small, large)
    assert not np.array_equal(small, np.concatenate(list(draw_distractors(20_000, 4, 4))))


def test_wrong_probes_are_planted() -> None:
    x, person = draw_probes(2000, 10, 64, 0)
    near = np.array([np.median(x[person == person[i]] @ x[i]) for i in range(2000)])
    assert 0.005 < (near < 0.05).mean() < 0.06


def test_a_mistake_is_one_line() -> None:
    with pytest.raises(UserError, match="--probe-photos 5 --probe-people 3"):
        megaface(probe_photos=5, probe_people=3)
