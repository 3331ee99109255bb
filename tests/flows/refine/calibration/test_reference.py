"""refine with --reference and with a cohort, on drawn people: what the summary, the record and the report say."""

import json
import shutil
from pathlib import Path

import pytest

from flows.refine.calibration.flow import calibrate
from flows.refine.flow import refine
from flows.report.flow import report
from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER

MODELS = {"detector": str(DETECTOR), "embedder": str(EMBEDDER)}


@pytest.fixture
def few(drawn_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two people of the drawn world: too few for thresholds."""
    monkeypatch.setenv("REFINERY_CACHE", str(tmp_path / "cache"))
    for folder in sorted((drawn_world / "photos").iterdir())[:2]:
        shutil.copytree(folder, tmp_path / "photos" / folder.name)
    return tmp_path / "photos"


def refined(root: Path, photos: Path, **more: list[str]) -> list[str]:
    """The lines of a refinement, after its account was checked."""
    result = refine.fn(str(root), ["image-folder", str(photos)], **MODELS, **more)
    account = result.account
    assert account.kept + sum(account.removed.values()) == account.ingested == len(list(photos.rglob("*.jpg")))
    return result.lines()


@pytest.mark.slow
def test_other_people_make_a_measurement_of_a_guess(few: Path, drawn_world: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    alone = refined(root, few)
    assert any(line.startswith("warning: the thresholds are a guess") for line in alone)
    guess = latest(str(root))
    report(str(root), out=tmp_path / "guess.html")
    assert "thresholds are a guess" in (tmp_path / "guess.html").read_text()

    flat = tmp_path / "flat"
    flat.mkdir()
    for number, photo in enumerate(sorted((drawn_world / "photos").rglob("*.jpg"))[-24:]):
        shutil.copy(photo, flat / f"{number}.jpg")
    (flat / "broken.jpg").write_bytes(b"not a photo")
    helped = refined(root, few, reference=[str(drawn_world / "test"), str(flat)])
    assert any("other people, those of test, flat among them" in line for line in helped)
    basis = json.loads((root / "refinement.json").read_text())["params"]["calibration"]
    assert basis["identities"] == 2
    assert basis["references"] > 10
    assert basis["assumed"] < guess.options.calibration["assumed"]
    assert latest(str(root)).photos.address == guess.photos.address

    calibrate(str(EMBEDDER), str(drawn_world / "test"), detector=str(DETECTOR))
    with_cohort = refined(root, few)
    assert any("other people, those of cohort test among them" in line for line in with_cohort)
    shutil.rmtree(tmp_path / "cache" / "cohorts")
    assert refined(root, few) == alone


@pytest.mark.slow
def test_mistakes_are_one_line(few: Path, drawn_world: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere is not there"):
        refined(tmp_path / "root", few, reference=["nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no photo"):
        refined(tmp_path / "root", few, reference=[str(tmp_path / "empty")])
    (tmp_path / "empty" / "bad.jpg").write_bytes(b"not a photo")
    with pytest.raises(UserError, match="give photos of other people that show faces"):
        refined(tmp_path / "root", few, reference=[str(tmp_path / "empty")])
    with pytest.raises(UserError, match="--detector"):
        calibrate(str(EMBEDDER), str(drawn_world / "test"))
