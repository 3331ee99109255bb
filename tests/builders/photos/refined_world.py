"""The root of a refinement of the small drawn world, refined once for all processes of a test run."""

from pathlib import Path

import pytest

from flows.refine.flow import refine
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.session.made_once import made_once


def refine_drawn(drawn_world: Path, root: Path) -> None:
    source = ["image-folder", str(drawn_world / "photos")]
    refine.fn(str(root), source, str(DETECTOR), str(EMBEDDER), test_set=[str(drawn_world / "test")])


def refined_world_of_run(drawn_world: Path, factory: pytest.TempPathFactory) -> Path:
    """The root, which no test may change."""
    return made_once(factory, "verified-root", lambda folder: refine_drawn(drawn_world, folder))
