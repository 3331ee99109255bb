"""Data sets opened for training: from a table's manifest; files and labels that cannot be trained on raise one line."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.writer import Layout, write_record_io
from pipeline.tables.digests import content_digest
from tests.builders.flipped_bits import flip_bit
from tests.builders.photos import exported_faces
from trainer.data.data_set import open_faces


def test_a_tables_manifest_is_read_like_its_folder(tmp_path: Path) -> None:
    folder = exported_faces.parquet(tmp_path / "refined")
    manifest = folder / "abc.json"
    manifest.write_text('{"shards": [{"path": "refined/part-00000.parquet"}, {"path": "refined/part-00001.parquet"}]}')
    assert len(open_faces(manifest).labels) == 48


def test_labels_that_cannot_be_trained_on_raise_one_line(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((112, 112, 3), np.uint8))[1].tobytes()
    unfit = {
        "no photo": [],
        "one class": [(0, jpeg)] * 4,
        "single photo": [(0, jpeg), (1, jpeg)],
        "without a gap .label 1": [(0, jpeg), (2, jpeg), (2, jpeg)],
        "without a gap .label -3": [(-3, jpeg), (0, jpeg), (0, jpeg)],
    }
    for i, (message, rows) in enumerate(unfit.items()):
        folder = tmp_path / str(i)
        folder.mkdir()
        exported_faces.write(folder / "part-00000.parquet", rows)
        with pytest.raises(UserError, match=message):
            open_faces(folder)


def test_files_that_cannot_be_read_raise_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no"):
        open_faces(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"neither Parquet files nor a \.rec"):
        open_faces(tmp_path / "empty")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/x.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="cannot read"):
        open_faces(tmp_path / "bad")
    cut = exported_faces.record_io(tmp_path / "cut") / "train.rec"
    cut.write_bytes(cut.read_bytes()[:-5000])
    with pytest.raises(UserError, match="damaged or cut off"):
        open_faces(cut)
    (tmp_path / "train.rec.json").write_text("[]")
    with pytest.raises(UserError, match="is not the manifest of a table"):
        open_faces(tmp_path / "train.rec.json")


def test_a_folder_with_several_record_files_is_refused_and_each_of_them_is_read(tmp_path: Path) -> None:
    folder = exported_faces.record_io(tmp_path / "data")
    for ending in ("rec", "idx"):
        (folder / f"more.{ending}").write_bytes((folder / f"train.{ending}").read_bytes())
    with pytest.raises(
        UserError, match=r"data holds 2 \.rec files \(more\.rec, train\.rec\): give the one to train on"
    ):
        open_faces(folder)
    assert open_faces(folder / "more.rec").digest == open_faces(folder / "train.rec").digest


def test_an_export_for_other_programs_raises_one_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"shards": [{"path": "train-00000.tar"}]}')
    with pytest.raises(UserError, match="no data set to train on: export it with --format parquet or recordio"):
        open_faces(tmp_path)
    exported_faces.parquet(tmp_path / "data")
    rows = pq.read_table(tmp_path / "data/part-00000.parquet").rename_columns({"jpeg": "image"})
    pq.write_table(rows, tmp_path / "data/train-00000-of-00001.parquet")
    (tmp_path / "manifest.json").write_text('{"shards": [{"path": "data/train-00000-of-00001.parquet"}]}')
    with pytest.raises(UserError, match="has no column jpeg: give an export with --format parquet or recordio"):
        open_faces(tmp_path)


@pytest.mark.parametrize("make_data", [exported_faces.parquet, exported_faces.record_io])
def test_the_digest_differs_when_only_the_pictures_differ(make_data: Callable[..., Path], tmp_path: Path) -> None:
    original, redrawn, copy = (tmp_path / name for name in ("one", "other", "copy"))
    make_data(original), make_data(redrawn, seed=7), make_data(copy)
    faces, redrawn_faces = open_faces(original), open_faces(redrawn)
    assert np.array_equal(np.bincount(faces.labels), np.bincount(redrawn_faces.labels))
    assert faces.digest == open_faces(copy).digest != redrawn_faces.digest


def test_a_part_of_an_export_that_has_changed_is_told_when_it_is_read(tmp_path: Path) -> None:
    folder = exported_faces.parquet(tmp_path / "data", 4, 4)
    part = folder / "part-00000.parquet"
    shard = {"path": part.name, "digest": content_digest(part.read_bytes()), "rows": 16}
    (folder / "manifest.json").write_text(json.dumps({"rows": 16, "shards": [shard]}))
    assert len(open_faces(folder).read(0).jpeg) > 0
    data = part.read_bytes()
    place = data.index(b"\xff\xd9")  # the end of a picture
    part.write_bytes(data[:place] + b"\xff\xd8" + data[place + 2 :])
    with pytest.raises(UserError, match=r"part-00000.parquet is damaged: .* export the data set again"):
        open_faces(folder).read(0)


@pytest.mark.parametrize("layout", ["identity_ranges", "plain"])
def test_after_any_flipped_bit_of_record_io_the_photos_are_right_or_it_is_told(tmp_path: Path, layout: Layout) -> None:
    """Pictures that hold the magic of RecordIO are cut into frames; their checksums cover all frames."""
    jpegs = [bytes([i]) * (40 + i) + codec.MAGIC * (i % 3) + b"end" for i in range(24)]
    folder = tmp_path / "whole"
    write_record_io(folder, [(i // 4, jpeg, str(i)) for i, jpeg in enumerate(jpegs)], layout=layout)
    assert open_faces(folder).read(0).jpeg == jpegs
    told = 0
    for seed in range(60):
        changed = shutil.copytree(folder, tmp_path / str(seed))
        flip_bit(changed / ("train.rec" if seed < 50 else "train.crc32"), seed)
        with suppress(UserError):
            assert open_faces(changed).read(0).jpeg == jpegs
            continue
        told += 1
    assert told > 40
    (folder / "train.crc32").unlink()
    assert open_faces(folder).read(0).jpeg == jpegs
