"""A refinement of a few drawn people, of whom one is to be erased."""

import shutil
from pathlib import Path

import pytest

from flows.refine.flow import refine
from pipeline.review.answers import ledger
from pipeline.review.questions.asked_for import ask_for
from tests.builders.photos.erased_person import MODELS, face_of, named
from tests.builders.session.made_once import made_once
from tests.builders.small_world import fates
from tests.builders.tables.ledger_rows import row


@pytest.fixture(scope="session")
def photos(drawn_world: Path) -> Path:
    return drawn_world / "photos"


@pytest.fixture(scope="session")
def refined_once(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A refinement with a key, so that two erasures of copies of it write the same bytes."""

    def make(folder: Path) -> None:
        refine.fn(str(folder), ["image-folder", str(photos)], **MODELS)
        ledger.append(str(folder), [row("1", "yes", "ann", subject=face_of(folder, key)) for key in named(folder)[:1]])
        staying = next(key for key in sorted(fates(folder)) if key not in named(folder))
        ask_for(str(folder), [face_of(folder, key) for key in (named(folder)[0], staying)])
        (folder / "erasures").mkdir()
        (folder / "erasures/key").write_text("0f" * 32)

    return made_once(tmp_path_factory, "erase-root", make)


@pytest.fixture
def root(refined_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(refined_once, tmp_path / "root"))
