"""The index and the shards of photos: every photo once, no identity in two shards, stable shards as data grows."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.schema import face_id
from pipeline.sources.index import Source, check_named, index_photos


def folder(path: Path, names: list[str], each: int = 3) -> Path:
    for name in names:
        (path / name).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            (path / name / f"{i}.jpg").write_bytes(f"{name}{i}".encode())
    return path


def shard_rows(root: Path, path: Path, shards: int | None = None) -> list[list[dict]]:
    table, _ = index_photos(str(root), [Source("set", "image-folder", str(path))], shards=shards)
    return [t.to_pylist() for t in table.batches()]


@pytest.mark.parametrize("shards", [1, 3, 8])
def test_every_photo_comes_once_and_no_identity_is_in_two_shards(tmp_path: Path, shards: int) -> None:
    path = folder(tmp_path / "set", [f"person {i}" for i in range(40)])
    shards_read = shard_rows(tmp_path / "root", path, shards)
    assert len(shards_read) == shards
    rows = [r for shard in shards_read for r in shard]
    assert len({r["face_id"] for r in rows}) == len(rows) == 120
    shards_of_identities = {(r["identity"], i) for i, shard in enumerate(shards_read) for r in shard}
    assert len(shards_of_identities) == 40
    for shard in shards_read:
        assert [(r["identity"], r["key"]) for r in shard] == sorted((r["identity"], r["key"]) for r in shard)
    assert all(r["face_id"] == face_id("set", r["key"]) for r in rows)


def test_an_identity_stays_in_its_shard_while_the_data_grows(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", [f"p{i}" for i in range(40)])
    before = {r["identity"]: i for i, s in enumerate(shard_rows(tmp_path / "root", path, 8)) for r in s}
    folder(path, [f"q{i}" for i in range(10)])
    after = {r["identity"]: i for i, s in enumerate(shard_rows(tmp_path / "root", path, 8)) for r in s}
    assert {k: after[k] for k in before} == before


def test_a_changed_photo_changes_only_its_own_shard(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", [f"p{i}" for i in range(40)])
    table, _ = index_photos(str(tmp_path / "root"), [Source("set", "image-folder", str(path))], shards=8)
    os.utime(path / "p7/1.jpg", ns=(1, 1))
    again, _ = index_photos(str(tmp_path / "root"), [Source("set", "image-folder", str(path))], shards=8)
    assert sum(a.digest != b.digest for a, b in zip(table.shards, again.shards, strict=True)) == 1


def test_a_moved_folder_gives_the_same_table(tmp_path: Path) -> None:
    folder(tmp_path / "set", ["a", "b"])
    table, _ = index_photos(str(tmp_path / "root"), [Source("set", "image-folder", str(tmp_path / "set"))])
    (tmp_path / "set").rename(tmp_path / "moved")
    moved, locations = index_photos(str(tmp_path / "root"), [Source("set", "image-folder", str(tmp_path / "moved"))])
    assert [s.digest for s in moved.shards] == [s.digest for s in table.shards]
    assert locations == {"set": ("image-folder", str(tmp_path / "moved"))}


def test_the_same_identity_in_two_sources_is_two_identities(tmp_path: Path) -> None:
    sources = [Source(n, "image-folder", str(folder(tmp_path / n, ["ann"]))) for n in ("one", "two")]
    table, _ = index_photos(str(tmp_path / "root"), sources)
    assert set(table.read()["identity"].to_pylist()) == {"one/ann", "two/ann"}
    with pytest.raises(UserError, match="two sources are called one: call one NAME=PATH"):
        index_photos(str(tmp_path / "root"), [sources[0], sources[0]])


def test_photos_that_all_lack_an_identity_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [b"one", b"two"]}), tmp_path / "unnamed.parquet")
    sources = [Source("set", "parquet", str(tmp_path / "unnamed.parquet"))]
    photos, _ = index_photos(str(tmp_path / "root"), sources)[:2]
    with pytest.raises(UserError, match=r"no photo in .*unnamed\.parquet has an identity"):
        check_named(photos, sources)
