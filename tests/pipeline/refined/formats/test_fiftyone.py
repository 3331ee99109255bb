"""Samples for FiftyOne: every photo once, with its fate, findings and boxes; the real FiftyOne needs a MongoDB."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

from flows.refine.verify import verify
from pipeline import schema
from pipeline.faces.align import TEMPLATE
from pipeline.faces.picture_formats.pillow import upright_size
from pipeline.refined import shuffle
from pipeline.refined.account import UnbalancedAccountError
from pipeline.refined.export import export_samples
from pipeline.refined.formats.fiftyone import PhotoCounts, count_photos, relative_box
from pipeline.refinement import Refinement, latest
from pipeline.review.summary import summarize_review
from pipeline.tables.build import build
from tests.builders.tables.drawn_refinement import ANNOTATORS, GROUP, answered_root
from tests.builders.tables.label_shards import grey_jpeg

MARKS = (TEMPLATE * 0.5 + 20).ravel().tolist()  # an aligned face half as large: the square from 20, 20 to 76, 76


@pytest.fixture(scope="module")
def refinement(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    return latest(str(answered_root(tmp_path_factory)))


def with_faces(refinement: Refinement, root: Path, kind: str) -> Refinement:
    """The refinement with pictures and landmarks for the photos that have a face; the kind of their source."""
    rows = refinement.faces.read(["face_id", "failure"]).to_pylist()
    shown = [r | ({} if r["failure"] else {"jpeg": grey_jpeg(7), "landmarks": MARKS, "score": 0.5}) for r in rows]
    faces = build(str(root), "faces", face_rows, [shown], schema=schema.FACES)
    for table in refinement.tables.values():
        for shard in table.shards:
            (root / shard.path).parent.mkdir(parents=True, exist_ok=True)
            (root / shard.path).write_bytes(Path(refinement.root, shard.path).read_bytes())
    moved = {name: replace(getattr(refinement, name), root=str(root)) for name in ("labels", "photos", "decisions")}
    sources = {"s": (kind, str(root / "photos"))}
    return replace(refinement, faces=faces, options=replace(refinement.options, sources=sources), **moved)


def face_rows(part: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(part, schema=schema.FACES)


def exported(refinement: Refinement, out: Path) -> tuple[PhotoCounts, list[dict[str, Any]]]:
    identities = shuffle.identities(refinement.root, refinement.labels)
    counts = export_samples(refinement, identities, out, review=summarize_review(refinement.root))
    assert not verify(str(out)).faults
    return counts, json.loads((out / "samples.json").read_text("utf-8"))["samples"]


def test_every_photo_is_a_sample_with_its_fate_and_its_findings(refinement: Refinement, tmp_path: Path) -> None:
    given = with_faces(refinement, tmp_path / "root", "image-folder")
    labels = refinement.labels.read().to_pylist()
    shown, absent = labels[0]["key"], len(labels) - 1
    (tmp_path / "root/photos" / shown).parent.mkdir(parents=True)
    PIL.Image.new("RGB", (112, 224)).save(tmp_path / "root/photos" / shown, format="PNG")
    counts, samples = exported(given, tmp_path / "out")
    account = refinement.account
    assert counts == PhotoCounts(account.kept, account.removed, missing=absent, hidden=0)
    assert [s["face_id"] for s in samples] == [r["face_id"] for r in labels]
    fates = Counter(s["fate"].partition(":")[0] for s in samples)
    assert fates == {
        "kept": account.kept - account.moved,
        "relabelled": account.moved,
        "removed": account.ingested - account.kept,
    }
    findings = refinement.judged_findings.read().to_pylist()
    about = Counter((f["subject"], f["kind"]) for f in findings if f["subject"] in {r["face_id"] for r in labels})
    written = [
        (s["face_id"], f) for s in samples for f in s.get("findings", {"classifications": []})["classifications"]
    ]
    assert Counter((face, f["label"]) for face, f in written) == about
    assert Counter(f["decided_by"] for _, f in written)["people"] == 1
    boxes = [f["bounding_box"] for s in samples for f in s.get("faces", {"detections": []})["detections"]]
    assert boxes == [pytest.approx([20 / 112, 20 / 224, 56 / 112, 56 / 224], abs=1e-4)]
    text = (tmp_path / "out/samples.json").read_text("utf-8")
    assert not [word for word in (GROUP, *ANNOTATORS) if word in text]


def test_photos_inside_archives_are_shown_by_their_faces(refinement: Refinement, tmp_path: Path) -> None:
    given = with_faces(refinement, tmp_path / "root", "webdataset")
    counts, samples = exported(given, tmp_path / "out")
    without = sum(f is not None for f in given.faces.read(["failure"])["failure"].to_pylist())
    assert counts.hidden == without > 0
    assert len(samples) == refinement.account.ingested - without
    for sample in samples:
        assert (tmp_path / "out" / sample["filepath"]).read_bytes() == grey_jpeg(7)
        assert [f["bounding_box"] for f in sample["faces"]["detections"]] == [[0, 0, 1, 1]]


def test_a_photo_that_is_no_sample_and_not_counted_is_noticed(refinement: Refinement) -> None:
    counts = Counter({"kept": refinement.account.kept - 1})
    with pytest.raises(UnbalancedAccountError):
        count_photos(refinement, counts)


def test_a_box_is_the_square_that_was_cut_out_without_what_lies_outside() -> None:
    assert relative_box(MARKS, (200, 100)) == pytest.approx([0.1, 0.2, 0.28, 0.56], abs=1e-4)
    at_the_border = (TEMPLATE - 56).ravel().tolist()  # the square from -56 to 56
    assert relative_box(at_the_border, (112, 560)) == pytest.approx([0, 0, 0.5, 0.1], abs=1e-4)
    assert relative_box((TEMPLATE - 500).ravel().tolist(), (100, 100)) is None
    assert relative_box([1.0] * 10, (100, 100)) is None
    assert relative_box(MARKS, None) is None


def test_the_size_of_a_photo_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    for orientation, size in ((1, (30, 20)), (3, (30, 20)), (6, (20, 30)), (8, (20, 30))):
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        picture.save(tmp_path / "photo.jpg", exif=exif)
        assert upright_size(str(tmp_path / "photo.jpg")) == size
    (tmp_path / "page.jpg").write_text("<html>")
    assert upright_size(str(tmp_path / "page.jpg")) is None
    assert upright_size(str(tmp_path / "absent.jpg")) is None
