"""Self-training: rounds that count what changes and continue where they stopped, with sub-centres in the first one.

What a short training removes differs between processors, so no test depends on which photos it removes. All labels are
right, and one identity has a single photo, which goes whatever the model sees. Of the 31 other photos 22 to 31 stayed
after 60 updates, on two kinds of processors and with three seeds.
"""

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flows.train import self_training
from flows.train.self_training import self_train
from pipeline.errors import UserError
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.tables.table import Table
from tests.builders.small_world import fates
from trainer import checkpoint
from trainer.pretrained.start import Start

SHORT = {"steps": 12, "batch": 16, "settings": ["embedding=32"], "device": "cpu"}
LONGER = {**SHORT, "steps": 60, "stop_share": 0.0}


@pytest.fixture(scope="module")
def photos(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos with right labels, and a further identity with one photo."""
    folder = tmp_path_factory.mktemp("self-training") / "photos"
    truth = read_truth(drawn_world)
    for key, kind in zip(truth.keys, truth.kind, strict=True):
        if kind == "clean":
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(drawn_world / "photos" / key, folder / key)
    (folder / "one_photo").mkdir()
    shutil.copy(next((drawn_world / "test").rglob("*.jpg")), folder / "one_photo/1.jpg")
    return folder


@pytest.fixture(scope="module")
def source(photos: Path) -> list[str]:
    return ["image-folder", str(photos)]


@pytest.mark.slow
def test_rounds_count_what_changes_and_continue_where_they_stopped(
    photos: Path, source: list[str], tmp_path: Path
) -> None:
    options, root = {**LONGER, "detector": str(DETECTOR)}, tmp_path / "root"
    labels: list[dict[str, str | None]] = []
    for rounds in (1, 2):
        result = self_train.fn(str(root), source, rounds=rounds, **options)
        labels.append({key: identity for key, (identity, _) in fates(root).items()})
    claimed = {p.relative_to(photos).as_posix(): p.parent.name for p in photos.rglob("*.jpg")}
    first, second = result.rounds
    assert (first.round, second.round) == (0, 1)
    for r, before, after in ((first, claimed, labels[0]), (second, labels[0], labels[1])):
        assert before.keys() == after.keys()
        assert r.kept == sum(identity is not None for identity in after.values())
        assert r.changed == sum(before[key] != after[key] for key in before)
        assert r.share == r.changed / len(claimed)
        assert 0 < r.kept < len(claimed) == first.trained_on
    assert first.changed > 0
    assert 0.7 * len(claimed) < second.trained_on <= len(claimed), "round 1 trains on the photos typical of their claim"
    assert "likelihood ratio" in result.lines()[1]
    assert latest(str(root)).options.request["textures"], "an erasure refines again by likelihood ratios, too"
    made_from = {name.split("/")[0] for name in latest(str(root)).findings.manifest["inputs"]}
    assert "ratio_suspects" in made_from
    assert "suspects" not in made_from
    models = {p: p.stat().st_mtime_ns for p in root.rglob("*.pt")}
    # where all photos are typical, the second training is the first, and nothing changes any more
    assert len(models) == 2 or (second.trained_on == first.trained_on and second.changed == 0)
    assert self_train.fn(str(root), source, rounds=2, **options).rounds == result.rounds
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*.pt")} == models
    assert len(self_train.fn(str(root), source, rounds=2, **{**options, "stop_share": 1.1}).rounds) == 1


@pytest.mark.slow
def test_round_0_has_sub_centres_and_every_later_one_has_none(source: list[str], tmp_path: Path) -> None:
    result = self_train.fn(str(tmp_path), source, str(DETECTOR), rounds=2, sub_centres=True, **LONGER)
    folders = [Path(r.model).parent for r in result.rounds]
    assert [checkpoint.load(f / "last.pt").objective["weight"].ndim for f in folders] == [3, 2]


@pytest.mark.slow
def test_rounds_are_short_start_from_a_file_and_a_round_without_photos_is_an_error(
    source: list[str], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"batch": 16, "device": "cpu", "init": str(EMBEDDER), "layer_lr": 0.9, "rounds": 1}
    (only,) = self_train.fn(str(tmp_path / "root"), source, str(DETECTOR), **options).rounds
    saved = checkpoint.load(Path(only.model).parent / "last.pt")
    assert saved.run.steps == round(6.5 * only.trained_on / 16)
    assert saved.start == Start(str(EMBEDDER), layer_lr=0.9).settings
    (tmp_path / "grey/x").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "grey/x/1.png"), np.full((64, 64, 3), 127, np.uint8))
    with pytest.raises(UserError, match=r"round 0: no photo is left to train on: give more --steps"):
        self_train.fn(str(tmp_path / "empty"), ["image-folder", str(tmp_path / "grey")], str(DETECTOR), **options)


def test_impossible_options_are_errors_before_any_work(source: list[str], tmp_path: Path) -> None:
    for options, message in (
        ({"loss": "triplet", "sub_centres": True}, "loss triplet has no sub-centres"),
        ({"rounds": 0}, "--rounds 0: give 1 or more"),
        ({"layer_lr": 2.0}, "layer_lr 2.0: expected more than 0, at most 1"),
    ):
        with pytest.raises(UserError, match=message):
            self_train.fn(str(tmp_path / "root"), source, str(DETECTOR), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_round_trains_on_the_faces_that_the_one_before_chose(
    drawn_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one photo of each person somebody else's face is the larger one."""
    people = sorted(folder for folder in (drawn_world / "test").iterdir() if len(list(folder.glob("*.jpg"))) >= 4)
    for person, other in zip(people, (*people[1:], people[0]), strict=True):
        shutil.copytree(person, tmp_path / "photos" / person.name)
        own, larger = (cv2.imread(str(sorted(folder.glob("*.jpg"))[0])) for folder in (person, other))
        size = int(1.4 * own.shape[0])
        beside = cv2.copyMakeBorder(own, 0, size - own.shape[0], 0, 0, cv2.BORDER_CONSTANT)
        both = cv2.hconcat([cv2.resize(larger, (size, size)), beside])
        cv2.imwrite(str(tmp_path / "photos" / person.name / "both.png"), both)
    trained: list[str] = []

    def pretrained(_root: str, _run: object, _labels: object, faces: Table, **_options: object) -> str:
        trained.append(faces.address)
        return str(EMBEDDER)

    monkeypatch.setattr(self_training, "_train_model", pretrained)
    source = ["image-folder", str(tmp_path / "photos")]
    self_train.fn(str(tmp_path / "root"), source, detector=str(DETECTOR), rounds=2, stop_share=0.0)
    refinement = latest(str(tmp_path / "root"))
    assert refinement.main_faces is not None
    assert refinement.main_faces.address != refinement.faces.address, "no face was chosen"
    assert trained == [refinement.main_faces.address, refinement.faces.address]
