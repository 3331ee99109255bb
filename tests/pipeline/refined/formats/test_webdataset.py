"""WebDataset shards, read by `webdataset` and by this program's own source of archives."""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.refined.export import export
from pipeline.refined.formats.shard_plan import ShardSize
from pipeline.sources.formats import tar_shards
from tests.builders.file_trees import file_bytes
from tests.builders.hostile_names import NAMES
from tests.builders.tables.label_shards import grey_jpeg, refined_of

NAMES_AS_TEXT = [n.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for n in NAMES]
PICTURES = {
    name: [grey_jpeg(3 * i + k) for k in range(2)]
    for i, name in enumerate([*NAMES_AS_TEXT, "../x", "a/b", ".hid", ".."])
}
PHOTOS = {(name, jpeg) for name, jpegs in PICTURES.items() for jpeg in jpegs}
SIZE = ShardSize(60_000, "bytes")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    refined, identities = refined_of(str(folder / "root"), PICTURES, shards=2)
    export(refined, identities, folder / "out", format="webdataset", shard_size=SIZE)
    return folder / "out"


def test_shards_have_about_the_size_asked_for_and_no_name_of_a_person(exported: Path) -> None:
    archives = sorted(exported.glob("*.tar"))
    assert [a.name for a in archives] == [f"train-{i:05d}.tar" for i in range(len(archives))]
    assert len(archives) > 2
    assert all(0.5 < a.stat().st_size / SIZE.number < 1.2 for a in archives)
    for archive in archives:
        with tarfile.open(archive) as opened:
            members = opened.getmembers()
        assert all(m.isfile() and m.mtime == m.uid == m.gid == 0 and not m.uname + m.gname for m in members)
        assert {tuple(m.name.split(".")[1] for m in members[i : i + 3]) for i in range(0, len(members), 3)} == {
            ("jpg", "cls", "json")
        }
        assert all(set(m.name.split(".")[0]) <= set("0123456789abcdef") for m in members)


def test_the_same_table_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    refined, identities = refined_of(str(tmp_path / "root"), PICTURES, shards=2)
    export(refined, identities, tmp_path / "out", format="webdataset", shard_size=SIZE)
    assert file_bytes(tmp_path / "out") == file_bytes(exported)


def test_it_comes_back_as_a_source_of_the_same_photos(exported: Path) -> None:
    photos = [photo for part in tar_shards.parts(exported) for photo in tar_shards.index(part)]
    assert {(photo.identity, tar_shards.read(exported, photo)) for photo in photos} == PHOTOS
    assert len(photos) == len(PHOTOS)


@pytest.mark.slow
def test_webdataset_reads_it_with_pictures_labels_and_names(exported: Path) -> None:
    import webdataset

    shards = [str(a) for a in sorted(exported.glob("*.tar"))]
    raw: list[Any] = list(webdataset.WebDataset(shards, shardshuffle=False))
    decoded: list[Any] = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    assert {(d["json"]["identity"], r["jpg"]) for r, d in zip(raw, decoded, strict=True)} == PHOTOS
    assert all(d["jpg"].size == (112, 112) for d in decoded)
    names = sorted(PICTURES)
    assert all(names[d["cls"]] == d["json"]["identity"] for d in decoded)
