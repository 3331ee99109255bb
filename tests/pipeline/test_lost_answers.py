"""Answers that are lost: verify names their files, and labels are not made again without them unless that is wanted."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from flows.refine.flow import refine
from flows.refine.verify import verify
from pipeline.errors import UserError
from pipeline.lost_answers import check_answers, lost_answers
from pipeline.refined.labels import label_again
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settled_verdicts
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.schema import finding_id
from tests.builders.file_trees import file_bytes
from tests.builders.photos.encoded_pictures import encoded, scene
from tests.builders.tables.drawn_refinement import drawn_root
from tests.builders.tables.ledger_rows import row


def answer(root: Path, annotators: str, number: int) -> None:
    """Two annotators say that a kept photo is an outlier, and the labels follow; their answers are one new file."""
    kept = [r for r in latest(str(root)).labels.read().to_pylist() if r["identity"] is not None]
    face, identity = kept[number]["face_id"], kept[number]["identity"]
    finding = finding_id("outlier", face, identity)
    ledger.append(str(root), [row(finding, "yes", who, subject=face, object=identity) for who in annotators])
    label_again(str(root), settled_verdicts)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a refinement with two files of answers, which no test may change."""
    root = shutil.copytree(drawn_root(tmp_path_factory), tmp_path_factory.mktemp("answered") / "root")
    before = latest(str(root)).account.kept
    answer(root, "ab", 0)
    answer(root, "ab", 5)
    assert latest(str(root)).account.kept < before
    assert len(latest(str(root)).ledger) == 2
    return root


@pytest.mark.parametrize("lost", [1, 2])
def test_lost_answers_are_named_and_the_labels_do_not_change_back(answered: Path, tmp_path: Path, lost: int) -> None:
    root = shutil.copytree(answered, tmp_path / "root")
    assert not verify(str(root)).faults
    check_answers(str(root))
    files = sorted((root / "ledger").glob("*.parquet"))[:lost]
    for file in files:
        file.unlink()
    verified = verify(str(root))
    assert [fault.name for fault in verified.faults] == [f"ledger/{file.name}" for file in files]
    assert "put it back from a backup" in verified.lines()[-1]
    before = file_bytes(root)
    message = rf"{lost} files of answers .* are gone .* --without-lost-answers"
    with pytest.raises(UserError, match=message):
        label_again(str(root), settled_verdicts)
    with pytest.raises(UserError, match=message):
        refine.fn(str(root), ["image-folder", str(tmp_path)], str(DETECTOR), str(EMBEDDER))
    assert file_bytes(root) == before
    for file in files:
        shutil.copy(answered / "ledger" / file.name, file)
    check_answers(str(root))


def test_a_refinement_without_the_lost_answers_is_made_when_that_is_wanted(answered: Path, tmp_path: Path) -> None:
    root = shutil.copytree(answered, tmp_path / "root")
    shutil.rmtree(root / "ledger")
    for number in range(4):
        file = tmp_path / f"photos/person{number // 2}/{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(scene(112, 112), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 60 + number))
    source = ["image-folder", str(tmp_path / "photos")]
    refine.fn(str(root), source, str(DETECTOR), str(EMBEDDER), aligned=True, without_lost_answers=True)
    assert latest(str(root)).ledger == ()
    assert not verify(str(root)).faults


def test_they_are_known_where_the_refinement_file_is_damaged_too(answered: Path, tmp_path: Path) -> None:
    root = shutil.copytree(answered, tmp_path / "root")
    content = json.loads((root / "refinement.json").read_text())
    content["account"]["kept"] += 1
    (root / "refinement.json").write_text(json.dumps(content))
    shutil.rmtree(root / "ledger")
    assert len(lost_answers(str(root))) == 2
    assert {fault.group for fault in verify(str(root)).faults} == {"refinement", "ledger"}
