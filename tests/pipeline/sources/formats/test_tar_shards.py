"""WebDataset shards, written by Python's tarfile in every header format, and read without unpacking."""

import gzip
import io
import json
import os
import random
import tarfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sources.formats import tar_shards
from pipeline.sources.photo import Photo, PhotoChanged
from tests.builders.file_trees import put_files


def write_tar(path: Path, members: dict[str, bytes], *, format: int = tarfile.PAX_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=format) as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def indexed(path: Path) -> list[Photo]:
    return [photo for part in tar_shards.parts(path) for photo in tar_shards.index(part)]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_labels_of_every_kind(tmp_path: Path, format: int) -> None:
    members = {
        "0001.jpg": b"one",
        "0001.cls": b"17\n",
        "0002.json": json.dumps({"caption": "x", "label": 5, "identity": "Ann"}).encode(),
        "0002.JPEG": b"two",
        "Zoë/x.png": b"three",
        "0004.txt": b"Bob",
        "0004.webp": b"four",
        "0005.jpg": b"five",
        "0005.json": b"{broken",
        "only.txt": b"no picture",
        "Bush/George_W._Bush_0001.jpg": b"six",
        "Bush/George_W._Bush_0001.cls": b"George",
        "0008.png": b"eight",
        "0008.jpg": b"and again",
        "0007.jpg": b"",
        "0007.cls": b"",
        "no suffix": b"\xff\xd8\xffseven",
        "no suffix.cls": b"Ann",
        "._0001.jpg": b"hidden",
        "__MACOSX/0001.jpg": b"hidden",
    }
    write_tar(tmp_path / "data/shard-000.tar", members, format=format)
    photos = indexed(tmp_path / "data")
    assert {p.key.removeprefix("shard-000.tar/"): p.identity for p in photos} == {
        "0001.jpg": "17",
        "0002.jpeg": "Ann",
        "Zoë/x.png": "Zoë",
        "0004.webp": "Bob",
        "0005.jpg": None,
        "Bush/George_W._Bush_0001.jpg": "George",
        "0008.png": None,
        "0008.jpg": None,
        "0007.jpg": None,
        "only": "no picture",
        "no suffix": "Ann",
    }
    assert [p.failure for p in photos if p.failure] == ["unreadable: its sample has no picture (txt)"]
    read = [tar_shards.read(tmp_path / "data", photo) for photo in photos if not photo.failure]
    assert read[:6] == [b"one", b"two", b"three", b"four", b"five", b"six"]
    assert read[6:] == [b"eight", b"and again", b"", b"\xff\xd8\xffseven"]


def test_one_archive_or_many_below_a_folder_and_keys_stay_apart(tmp_path: Path) -> None:
    for name in ("a.tar", "b/c.tar"):
        write_tar(tmp_path / name, {"1.jpg": name.encode(), "1.cls": b"3", "2.jpg": b"2", "2.cls": b"4"})
    (tmp_path / "readme.md").write_text("")
    assert len(indexed(tmp_path)) == 4
    assert [p.key for p in indexed(tmp_path / "a.tar")] == ["a.tar/1.jpg", "a.tar/2.jpg"]
    assert tar_shards.read(tmp_path / "a.tar", indexed(tmp_path / "a.tar")[0]) == b"a.tar"
    assert tar_shards.survey(tmp_path).ignored == {"no .tar file": 1}


def test_links_devices_and_paths_that_lead_out_are_only_names(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name, kind in (("link.jpg", tarfile.SYMTYPE), ("dev.jpg", tarfile.CHRTYPE), ("hard.jpg", tarfile.LNKTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry)
        entry = tarfile.TarInfo("../../etc/1.jpg")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"one"))
    (photo,) = indexed(tmp_path / "x.tar")
    assert photo.file == ""
    assert tar_shards.read(tmp_path / "x.tar", photo) == b"one"


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no \.tar file"):
        tar_shards.parts(tmp_path)
    put_files(tmp_path / "lmdb", {"data.mdb": b"", "lock.mdb": b""})
    with pytest.raises(UserError, match=r"holds no \.tar file: it is an LMDB, which is not read: write its pictures"):
        tar_shards.parts(tmp_path / "lmdb")
    whole = write_tar(tmp_path / "x.tar", {f"{i}.jpg": bytes(2000) for i in range(9)})
    (tmp_path / "x.tar.bz2").write_bytes(b"")
    with pytest.raises(UserError, match=r"is compressed.*with `bunzip2 -k .*x\.tar\.bz2`$"):
        tar_shards.parts(tmp_path / "x.tar.bz2")
    (warning,) = tar_shards.survey(tmp_path).warnings
    assert warning.startswith("1 compressed archives are left out: make a .tar of each with `bunzip2 -k ")
    put_files(tmp_path / "b", {"it's.tar.zst": b""})
    with pytest.raises(UserError, match=r"with `unzstd '.*it'\"'\"'s\.tar\.zst'`$"):
        tar_shards.parts(tmp_path / "b")
    photo = indexed(whole)[0]
    data = whole.read_bytes()
    members = [2560 * i for i in range(9)]  # a header of 512 bytes and 2,000 bytes, filled up to 2,048
    assert all(data[start : start + 5] == b"%d.jpg" % i for i, start in enumerate(members))
    damaged = bytearray(data)
    damaged[members[4] + 150] ^= 1  # the checksum of a header
    for content in (data[:5000], data[: members[4]], data[: members[4] + 100], bytes(damaged)):
        whole.write_bytes(content)
        with pytest.raises(UserError, match=r"damaged or no \.tar"):
            indexed(whole)
    whole.write_bytes(data[:5000])
    with pytest.raises(PhotoChanged):
        tar_shards.read(whole, photo)
    whole.write_bytes(b"no tar" * 1000)
    with pytest.raises(UserError, match=r"damaged or no \.tar"):
        indexed(whole)


def test_a_link_to_an_archive_outside_is_counted_and_not_followed(tmp_path: Path) -> None:
    outside = write_tar(tmp_path / "outside/a.tar", {"1.jpg": b"private", "1.cls": b"1"})
    write_tar(tmp_path / "set/b.tar", {"2.jpg": b"two", "2.cls": b"2"})
    (tmp_path / "set/a.tar").symlink_to(outside)
    (tmp_path / "set/again.tar").symlink_to(tmp_path / "set/b.tar")
    assert [p.key for p in indexed(tmp_path / "set")] == ["again.tar/2.jpg", "b.tar/2.jpg"]
    assert tar_shards.survey(tmp_path / "set").ignored == {"link out of the source": 1}


def test_a_name_in_the_json_counts_before_the_number_in_the_cls(tmp_path: Path) -> None:
    texts = {
        "1": {"identity": "3 Zoë\n", "label": 3},
        "2": {"identity": 5, "name": "dog"},
        "3": {"identity": ""},
        "4": [],
    }
    members = {f"{key}.jpg": b"" for key in texts} | {f"{key}.cls": b"7" for key in texts}
    members |= {f"{key}.json": json.dumps(text).encode() for key, text in texts.items()}
    write_tar(tmp_path / "x.tar", dict(sorted(members.items())))
    assert [photo.identity for photo in indexed(tmp_path / "x.tar")] == ["3 Zoë\n", "7", "7", "7"]


def test_a_compressed_archive_is_read_as_the_archive_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    members = {f"{i:03}.jpg": rng.bytes(int(n)) for i, n in enumerate(rng.integers(0, 30_000, 60))}
    members |= {name.replace("jpg", "cls"): b"%d" % (i // 4) for i, name in enumerate(members)}
    tar = write_tar(tmp_path / "in/x.tar", dict(sorted(members.items())))
    (tmp_path / "in/y.tar.gz").write_bytes(gzip.compress(tar.read_bytes(), 1))
    (tmp_path / "in/x.tar.gz").write_bytes(gzip.compress(tar.read_bytes(), 1))
    photos = indexed(tmp_path / "in")
    plain, packed = photos[: len(photos) // 2], photos[len(photos) // 2 :]
    assert [p.key.removeprefix("x.tar/") for p in plain] == [p.key.removeprefix("y.tar.gz/") for p in packed]
    assert [p.identity for p in plain] == [p.identity for p in packed]
    for i in rng.permutation(len(plain)):
        name = plain[i].key.removeprefix("x.tar/")
        assert (
            tar_shards.read(tmp_path / "in", packed[i]) == members[name] == tar_shards.read(tmp_path / "in", plain[i])
        )
    assert tar_shards.survey(tmp_path / "in").ignored == {"compressed copy of a .tar beside it": 1}
    assert [p.key for p in indexed(tmp_path / "in/x.tar.gz")][:1] == ["x.tar.gz/000.jpg"]


def test_a_compressed_archive_that_is_damaged_or_changed_is_told(tmp_path: Path) -> None:
    content = write_tar(
        tmp_path / "x.tar", {f"{i}.jpg": random.Random(i).randbytes(9000) for i in range(9)}
    ).read_bytes()
    whole = gzip.compress(content)
    packed = tmp_path / "x.tgz"
    checksum = bytearray(whole)
    checksum[-6] ^= 1
    for data in (whole[:5000], whole[: -len(whole) // 9], bytes(checksum), b"", content, gzip.compress(content[:5000])):
        packed.write_bytes(data)
        with pytest.raises(UserError, match=r"x\.tgz is damaged or no \.tar \(.*\): repair it or leave it out"):
            indexed(packed)
    packed.write_bytes(whole)
    photo = indexed(packed)[4]
    times = packed.stat()
    packed.write_bytes(gzip.compress(content, 1))
    with pytest.raises(PhotoChanged, match=r"x\.tgz changed since"):
        tar_shards.read(packed, photo)
    packed.write_bytes(whole[: len(whole) // 3])
    os.utime(packed, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(PhotoChanged, match=r"x\.tgz is damaged"):
        tar_shards.read(packed, photo)


def test_a_header_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 1 << 22
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(entry.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 22), 1))
    with pytest.raises(UserError, match=r"damaged or no \.tar \(a header of 4194304 bytes\)"):
        indexed(tmp_path / "x.tar.gz")
