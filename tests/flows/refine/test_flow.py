"""The refinement on real photos with real models: scored, the same from every source, resumed, deterministic."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.refine.export import export
from pipeline.refinement import latest
from pipeline.sources.record_io import reader
from tests.builders.processes.mxnet_python import READ_RECORDS, run_python
from tests.builders.small_world import World, fates

pytestmark = pytest.mark.material


def test_files_that_are_no_photos_are_counted_and_logged(world: World, refined: Path) -> None:
    ignored = latest(str(refined)).options.ignored["photos"]
    assert sorted(ignored.values()) == [1, 60], ignored


def test_a_second_run_makes_nothing(world: World, refined: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in refined.rglob("*.parquet")}
    world.refine(refined)
    assert {p: p.stat().st_mtime_ns for p in refined.rglob("*.parquet")} == before


def test_undecided_photos_are_kept_or_dropped_and_the_account_adds_up(
    world: World, refined: Path, tmp_path: Path
) -> None:
    keep = world.refine(refined)
    try:
        drop = world.refine(refined, undecided="drop")
    finally:
        world.refine(refined)
    for outcome in (keep, drop):
        assert outcome.account.ingested == len(world.truth)
        assert outcome.account.kept + sum(outcome.account.removed.values()) == len(world.truth)
    assert drop.account.kept <= keep.account.kept


def test_a_photo_that_vanishes_or_changes_between_index_and_read_is_a_finding(world: World, tmp_path: Path) -> None:

    from pipeline import schema
    from pipeline.faces.detect import OnnxDetector
    from pipeline.faces.extract import extract_shard
    from pipeline.sources.index import Source, index_photos
    from pipeline.tables.build import build

    shutil.copytree(world.photos, tmp_path / "photos")
    root = str(tmp_path / "root")
    table, locations = index_photos(root, [Source("photos", "image-folder", str(tmp_path / "photos"))], shards=1)
    keys = table.read(["key"])["key"].to_pylist()
    (tmp_path / "photos" / keys[0]).unlink()
    (tmp_path / "photos" / keys[1]).write_bytes(b"another")
    faces = build(
        root,
        "faces",
        extract_shard,
        table.shards,
        schema=schema.FACES,
        params={"aligned": False, "detector": OnnxDetector(world.models["detector"])},
        unhashed={"root": root, "locations": locations},
    )
    failures = faces.read(["failure"])["failure"].to_pylist()
    assert "vanished" in failures[0]
    assert "changed" in failures[1]
    assert all(f.startswith("unreadable: ") for f in failures[:2])


def test_exported_recordio_has_the_refined_faces_and_labels(refined: Path, tmp_path: Path) -> None:
    export_result = export(str(refined), tmp_path / "out", format="recordio")
    kept = {k: v[0] for k, v in fates(refined).items() if v[0] is not None}
    identities = {p.key: p.identity for part in reader.parts(tmp_path / "out") for p in reader.index(part)}
    assert identities == kept
    assert export_result.photos == len(kept)


@pytest.mark.mxnet
@pytest.mark.slow
def test_exported_recordio_is_read_by_the_real_mxnet_with_the_same_pixels(
    mxnet: Path, refined: Path, tmp_path: Path
) -> None:
    from hashlib import sha256

    export(str(refined), tmp_path / "out", format="recordio")
    theirs = json.loads(run_python(mxnet, READ_RECORDS, tmp_path / "out"))["records"]
    labels = {}
    for part in reader.parts(tmp_path / "out"):
        for number, photo in enumerate(reader.index(part), 1):
            data = reader.read(tmp_path / "out", photo)
            flag, label, _, _, payload, pixels = theirs[str(number)]
            assert payload == data.hex()
            assert flag == 0
            assert labels.setdefault(photo.identity, label) == label
            ours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert pixels == sha256(ours.tobytes()).hexdigest()
