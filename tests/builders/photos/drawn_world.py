"""A small drawn world that many tests read, drawn once for all processes of a test run."""

from pathlib import Path

import pytest

from pipeline.sample.world import draw_world
from tests.builders.session.made_once import made_once

PEOPLE, PHOTOS = 6, 42


def drawn_world_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the world, which no test may change: photos/, test/, truth.tsv, groups.csv."""
    return made_once(
        tmp_path_factory,
        "drawn-world",
        lambda folder: draw_world(folder, people=PEOPLE, photos=PHOTOS, seed=5, workers=1),
    )
