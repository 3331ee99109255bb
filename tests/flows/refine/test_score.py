"""The whole measurement on drawn people: plant noise in clean photos, refine, score, and look at the mistakes."""

import json
import re
import shutil
from pathlib import Path

import pytest

from flows.benchmark.cases.planted import planted
from flows.benchmark.peer_methods import SETTINGS
from flows.refine.flow import refine
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refined.scoring.score import score
from pipeline.refinement import latest
from pipeline.sample.cases.truth_tables import read_rows
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.processes.command_line import Command

MIX = "outliers=.2,misnamed=.06,duplicates=.1,groups=.1,junk=.06"


@pytest.fixture
def clean(drawn_world: Path, tmp_path: Path) -> Path:
    """The clean photos of the drawn world, in a folder for each person."""
    folder = tmp_path / "clean"
    for row in read_rows(drawn_world):
        if row["kind"] == "clean":
            (folder / row["person"]).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(
                drawn_world / "photos" / row["path"], folder / row["person"] / row["path"].replace("/", "-")
            )
    return folder


@pytest.mark.slow
def test_planted_noise_is_found_and_scored_with_a_page(clean: Path, tmp_path: Path, refinery: Command) -> None:
    noisy, root, page = tmp_path / "noisy", str(tmp_path / "root"), tmp_path / "mistakes.html"
    words = ("image-folder", clean, "--out", noisy, "--mix", MIX, "--detector", DETECTOR)
    status, _, errors = refinery("plant", *words)
    assert status == 0, errors
    refine.fn(root, ["image-folder", str(noisy / "photos")], str(DETECTOR), str(EMBEDDER), follow_links=True)
    status, printed, errors = refinery("score", root, noisy, "--out", page, "--megabytes", "0.02", "--json")
    assert status == 0, errors
    values = json.loads(printed)
    expected = score(latest(root).labels.batches(["key", "identity", "reason"]), read_truth(noisy))
    assert values["noise"] == {**expected.noise._asdict(), "f1": expected.noise.f1}
    kinds = {kind["kind"]: kind for kind in values["kinds"]}
    assert kinds["wrong labels"]["rates"]["recall"]["value"] == expected.noise.recall
    assert kinds["files without a face"]["found"] == kinds["files without a face"]["planted"] > 0
    assert sum(row["lost"] for row in values["clean_lost_by"] if row["measure"] == "faces in the photo") == (
        expected.clean_lost
    )
    others = planted(root, noisy, only=["centre", "neighbours"]).rows()
    assert [row["method"] for row in others] == ["refinery", "centre", "neighbours"]
    assert others[0]["F1"] == f"{expected.noise.f1:.3f}"
    assert all(0 < float(row["F1"]) <= 1 for row in others[1:])
    assert all(float(row["setting"]) in SETTINGS[row["method"]][1] for row in others[1:])
    text = page.read_text()
    pictures = re.findall(r"data:image/jpeg;base64,[^\"]*", text)
    assert sum(map(len, pictures)) <= 20_000
    assert values["page"] == {"file": str(page), "mistakes": text.count("<li data-"), "faces": len(set(pictures))}
    assert "By kind of noise" in text
    status, printed, _ = refinery("score", root, noisy)
    assert status == 0
    assert "noise found, F1" in printed
    assert "wrong labels " in printed
    assert refinery("score", root, noisy, "--out", page)[0] == 0, "its own page is replaced"
    page.write_text("a letter")
    assert refinery("score", root, noisy, "--out", page)[0] == 2
    assert refinery("score", root, noisy, "--each", "0")[0] == 2
    assert page.read_text() == "a letter"
