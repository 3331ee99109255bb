"""Parquet files with pictures: a struct of bytes and path, plain bytes, numbered labels with names, and without any."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.sources.formats import parquet_images
from pipeline.sources.photo import Photo, PhotoChanged

NAMES = {"info": {"features": {"label": {"names": ["Ann", "Bob"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}}}


def write(path: Path, columns: dict[str, Any], *, metadata: dict[str, Any] | None = None, group: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    pq.write_table(table, path, row_group_size=group)
    return path


def pictures(n: int) -> list[dict[str, Any]]:
    return [{"bytes": b"picture %d" % i, "path": f"{i}.jpg" if i % 2 else None} for i in range(n)]


def indexed(path: Path) -> list[Photo]:
    return [photo for part in parquet_images.parts(path) for photo in parquet_images.index(part)]


def test_numbered_labels_get_their_names_and_rows_are_read_in_any_order(tmp_path: Path) -> None:
    write(tmp_path / "data/train-0.parquet", {"image": pictures(8), "label": [0, 1] * 4}, metadata=NAMES)
    write(tmp_path / "data/train-1.parquet", {"image": pictures(2), "label": [-1, None]}, metadata=NAMES)
    photos = indexed(tmp_path)
    assert [p.identity for p in photos] == ["Ann", "Bob"] * 4 + [None, None]
    assert [p.key for p in photos[:2]] == ["data/train-0.parquet/0", "data/train-0.parquet/1.jpg"]
    assert len({p.key for p in photos}) == 10
    for i in (7, 0, 5, 3, 1):
        assert parquet_images.read(tmp_path, photos[i]) == b"picture %d" % i
    assert parquet_images.read(tmp_path, photos[9]) == b"picture 1"


@pytest.mark.parametrize("labels", [["x", "y"], [7, 8]])
def test_plain_bytes_and_labels_without_names(tmp_path: Path, labels: list[Any]) -> None:
    file = write(tmp_path / "a.parquet", {"identity": labels, "jpg": [b"one", b"two"]})
    photos = indexed(file)
    assert [p.identity for p in photos] == [str(label) for label in labels]
    assert [parquet_images.read(file, p) for p in photos] == [b"one", b"two"]
    unnamed = indexed(write(tmp_path / "b.parquet", {"jpg": [b"one"]}))
    assert [p.identity for p in unnamed] == [None]


def test_lists_in_a_folder_that_begins_with_an_underscore_are_counted_and_not_read(tmp_path: Path) -> None:
    """As `refinery export` writes them beside its photos."""
    write(tmp_path / "export/data/train-0.parquet", {"image": pictures(2), "label": [0, 1]}, metadata=NAMES)
    write(tmp_path / "export/_changes/removed.parquet", {"key": ["x"], "reason": ["outlier"]})
    assert [p.identity for p in indexed(tmp_path / "export")] == ["Ann", "Bob"]
    assert parquet_images.survey(tmp_path / "export").ignored == {"file in a folder that begins with _": 1}


def test_a_row_without_picture_a_changed_file_and_a_damaged_one_are_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", {"image": [None, {"bytes": None, "path": "x"}, *pictures(1)]})
    photos = indexed(file)
    assert len(photos) == 3
    for photo in photos[:2]:
        with pytest.raises(PhotoChanged, match="holds no picture"):
            parquet_images.read(file, photo)
    assert parquet_images.read(file, photos[2]) == b"picture 0"
    (warning,) = parquet_images.survey(file).warnings
    assert warning.startswith("2 rows hold no picture, but a path at most, and are unreadable: write them into it")
    write(tmp_path / "b/paths.parquet", {"image": [{"bytes": None, "path": "x"}, None]})
    with pytest.raises(UserError, match=r"the 2 rows of .* hold no picture"):
        parquet_images.parts(tmp_path / "b")
    whole = file.read_bytes()
    write(file, {"image": pictures(1)})
    with pytest.raises(PhotoChanged, match="changed since"):
        parquet_images.read(file, photos[2])
    file.write_bytes(whole[:-40])
    with pytest.raises(UserError, match="damaged or no Parquet"):
        parquet_images.parts(file)
    write(file, {"path": ["a.jpg"], "label": [3]})
    with pytest.raises(UserError, match=r"no column of pictures.*photo-list"):
        parquet_images.parts(file)
    with pytest.raises(UserError, match=r"holds no \.parquet"):
        parquet_images.parts((tmp_path / "none").mkdir() or tmp_path / "none")


def test_the_groups_kept_in_memory_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_images, "CACHE_BYTES", 5000)
    rows = [{"bytes": bytes([i]) * 1000, "path": None} for i in range(40)]
    file = write(tmp_path / "a.parquet", {"image": rows}, group=2)
    for photo in indexed(file):
        assert parquet_images.read(file, photo) == bytes([photo.offset]) * 1000
    held = parquet_images._GROUPS.groups.values()
    assert sum(pictures.nbytes for pictures in held) <= 5000
