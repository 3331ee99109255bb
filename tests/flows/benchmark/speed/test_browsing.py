"""The benchmark of the gallery measures a real gallery, which it leaves as it was."""

from pathlib import Path

import pytest

from flows.benchmark.speed.browsing import browse
from flows.benchmark.startup import draw_root
from pipeline.errors import UserError
from pipeline.refinement import latest


@pytest.mark.slow
def test_a_small_world_is_browsed(tmp_path: Path) -> None:
    root = draw_root(tmp_path / "root")
    address = latest(root).labels.address
    measured = browse(root, requests=2)
    rows = {row["request"]: row["times"] for row in measured.rows()}
    assert {"first page", "list of identities", "identity", "photo", "decision", "undo"} <= rows.keys()
    assert rows["decision"] == rows["undo"] == 2
    assert measured.photos == len(latest(root).photos)
    assert 0 < measured.start_s <= measured.ready_s
    assert 0.05 < measured.peak_gb < 2
    assert latest(root).labels.address == address
    with pytest.raises(UserError, match="--requests 0"):
        browse(root, requests=0)
