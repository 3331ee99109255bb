"""Every way of cleaning is scored on a small drawn world, and a second call reuses all trainings and tables."""

import logging
from pathlib import Path

import pytest

from flows.benchmark.cleaning import cleaning

pytestmark = pytest.mark.slow
STEPS = {"steps": 6, "batch": 16, "settings": ["embedding=32"]}


def test_every_way_is_scored_and_found_the_second_time(
    drawn_world: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = str(tmp_path / "root")
    with caplog.at_level(logging.INFO, logger="refinery"):
        first = cleaning(root, drawn_world, rounds=1, device="cpu", **STEPS)
    assert "shards made" in caplog.text
    assert "step 1 of" in caplog.text
    caplog.clear()
    lines = {w["cleaned by"]: w for w in first.rows()}
    ways = ["no cleaning", "the pipeline", "self-training", "self-training", "sub-centres", "sub-centres"]
    assert [name.split(",")[0] for name in lines] == ways
    assert (lines["no cleaning"]["F1"], lines["no cleaning"]["lost"]) == ("0.000", "0.0%")
    assert float(lines["the pipeline, shipped model"]["F1"]) > 0.3
    with caplog.at_level(logging.INFO, logger="refinery"):
        assert cleaning(root, drawn_world, rounds=1, device="cpu", **STEPS) == first
    assert "shards made" not in caplog.text
    assert "step 1 of" not in caplog.text
