"""A small drawn world that many tests read, drawn once for all processes of a test run."""

import fcntl
from pathlib import Path

import pytest

from pipeline.sample.world import draw_world

PEOPLE, PHOTOS = 6, 42


def drawn_world_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the world, which no test may change: photos/, test/, truth.tsv, groups.csv."""
    base = tmp_path_factory.getbasetemp()
    if base.name.startswith("popen-"):  # of one of several processes: the folder above is shared
        base = base.parent
    with open(base / "drawn-world.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        draw_world(base / "drawn-world", people=PEOPLE, photos=PHOTOS, seed=5, workers=1)
    return base / "drawn-world"
