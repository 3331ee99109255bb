"""The example scripts run from the first line to the last, on drawn people."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.forked_commands import forked_refinery
from tests.builders.photos.drawn_world import PHOTOS

EXAMPLES = Path(__file__).resolve().parents[3] / "flows/examples"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the program `refinery`."""
    with forked_refinery(tmp_path_factory.mktemp("programs")) as folder:
        yield folder


def run(programs: Path, script: str, *arguments: str, **settings: object) -> str:
    """Run an example, which must succeed, and return its output."""
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "REFINERY_PREFECT": "off",
        "DETECTOR": str(DETECTOR),
        "EMBEDDER": str(EMBEDDER),
        **{name: str(value) for name, value in settings.items()},
    }
    command = ["bash", str(EXAMPLES / script), *arguments]
    process = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert process.returncode == 0, process.stderr[-2000:]
    return process.stdout


@pytest.fixture(scope="module")
def refined(drawn_world: Path, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the first example made."""
    out = tmp_path_factory.mktemp("examples") / "own"
    run(programs, "refine_own_photos.sh", PHOTOS=drawn_world / "photos", TEST_SET=drawn_world / "test", OUT=out)
    return out


def test_own_photos_are_refined_shown_listed_and_exported(refined: Path) -> None:
    lines = (refined / "labels.tsv").read_text().splitlines()
    assert len(lines) == 1 + PHOTOS
    assert (refined / "report.html").stat().st_size > 100_000
    assert (refined / "refined/train.rec").exists()
    assert latest(str(refined / "root")).account.ingested == PHOTOS


def test_two_data_sets_are_merged(drawn_world: Path, programs: Path, tmp_path: Path) -> None:
    names = sorted(p for p in (drawn_world / "photos").iterdir() if p.is_dir())
    for half, folders in (("a", names[::2]), ("b", names[1::2])):
        for folder in folders:
            shutil.copytree(folder, tmp_path / half / folder.name)
    sets = {"FIRST": f"image-folder {tmp_path / 'a'}", "SECOND": f"image-folder {tmp_path / 'b'}"}
    run(programs, "merge_two_data_sets.sh", **sets, OUT=tmp_path / "out")
    account = latest(str(tmp_path / "out/root")).account
    assert account.ingested == account.kept + sum(account.removed.values()) == PHOTOS
    assert set(latest(str(tmp_path / "out/root")).options.sources) == {"first", "second"}
    assert (tmp_path / "out/merged/README.md").exists()


def test_megaface_gives_its_two_lists(drawn_world: Path, programs: Path, tmp_path: Path) -> None:
    distractors = tmp_path / "megaface/375/37531198@N00"
    distractors.mkdir(parents=True)
    for i, photo in enumerate(sorted((drawn_world / "test").rglob("*.jpg"))[:40]):
        shutil.copy(photo, distractors / f"{i}_0.jpg")
    out = tmp_path / "out"
    run(programs, "megaface.sh", FACESCRUB=drawn_world / "photos", MEGAFACE=tmp_path / "megaface", OUT=out)
    assert {p.name for p in (out / "lists").glob("*.txt")} == {"facescrub_noises.txt", "megaface_noises.txt"}


def test_data_before_and_after_is_trained_on_and_compared(
    refined: Path, drawn_world: Path, programs: Path, tmp_path: Path
) -> None:
    settings = {"ROOT": refined / "root", "TEST_SET": drawn_world / "test", "STEPS": 2, "SEEDS": 1}
    printed = run(programs, "train_and_compare.sh", **settings, OUT=tmp_path)
    assert "before: as claimed" in printed
    assert (tmp_path / "run/model.onnx").exists()


def test_an_example_without_a_setting_names_it(tmp_path: Path) -> None:
    command = ["bash", str(EXAMPLES / "refine_own_photos.sh")]
    process = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False)
    assert process.returncode != 0
    assert "PHOTOS: a folder with a folder of photos for each identity" in process.stderr
