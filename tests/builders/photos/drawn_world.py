"""Drawn worlds that several files of tests read, each drawn once for all processes of a test run."""

from pathlib import Path

import pytest

from pipeline.sample.world import draw_world
from tests.builders.session.made_once import made_once

PEOPLE, PHOTOS, SEED = 6, 42, 5
LARGER_PEOPLE, LARGER_PHOTOS, LARGER_SEED = 16, 200, 17


def drawn_world_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small world, which no test may change: photos/, test/, truth.tsv, groups.csv."""
    return made_once(
        tmp_path_factory,
        "drawn-world",
        lambda folder: draw_world(folder, people=PEOPLE, photos=PHOTOS, seed=SEED, workers=1),
    )


def larger_world_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a world of which a refinement loses several clean photos; no test may change it."""
    return made_once(
        tmp_path_factory,
        "larger-drawn-world",
        lambda folder: draw_world(folder, people=LARGER_PEOPLE, photos=LARGER_PHOTOS, seed=LARGER_SEED),
    )
