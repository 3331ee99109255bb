"""A data set of the Hugging Face hub, read by `datasets` and by this program's own source of Parquet files."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.refined.export import export
from pipeline.refined.formats.shard_plan import ShardSize
from pipeline.sources.formats import parquet_images
from tests.builders.file_trees import file_bytes
from tests.builders.hostile_names import NAMES
from tests.builders.tables.label_shards import grey_jpeg, refined_of

NAMES_AS_TEXT = [n.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for n in NAMES]
PICTURES = {
    name: [grey_jpeg(3 * i + k) for k in range(2)]
    for i, name in enumerate([*NAMES_AS_TEXT, "../x", "a/b", ".hid", ".."])
}
PHOTOS = {(name, jpeg) for name, jpegs in PICTURES.items() for jpeg in jpegs}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    refined, identities = refined_of(str(folder / "root"), PICTURES, shards=2)
    export(refined, identities, folder / "out", format="huggingface", shard_size=ShardSize(20, "photos"))
    return folder / "out"


def test_shards_are_numbered_and_hold_the_bytes_of_the_refined_faces(exported: Path) -> None:
    files = sorted((exported / "data").iterdir())
    count = -(-len(PHOTOS) // 20)
    assert [f.name for f in files] == [f"train-{i:05d}-of-{count:05d}.parquet" for i in range(count)]
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert {(row["identity"], row["image"]["bytes"]) for row in rows} == PHOTOS
    assert len(rows) == len(PHOTOS)
    assert all(row["image"]["path"] == f"{row['face_id']}.jpg" for row in rows)
    labels = {row["identity"]: row["label"] for row in rows}
    assert labels == {name: label for label, name in enumerate(sorted(PICTURES))}


def test_the_same_table_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    refined, identities = refined_of(str(tmp_path / "root"), PICTURES, shards=2)
    export(refined, identities, tmp_path / "out", format="huggingface", shard_size=ShardSize(20, "photos"))
    assert file_bytes(tmp_path / "out") == file_bytes(exported)


def test_it_comes_back_as_a_source_of_the_same_photos(exported: Path) -> None:
    data = exported / "data"
    photos = [photo for part in parquet_images.parts(data) for photo in parquet_images.index(part)]
    assert {(photo.identity, parquet_images.read(data, photo)) for photo in photos} == PHOTOS


@pytest.mark.slow
@pytest.mark.usefixtures("no_hub")
def test_datasets_loads_it_with_pictures_and_names(exported: Path, tmp_path: Path) -> None:
    import datasets

    loaded: Any = datasets.load_dataset(str(exported / "data"), cache_dir=str(tmp_path), split="train")
    assert isinstance(loaded.features["image"], datasets.Image)
    assert loaded[0]["image"].size == (112, 112)
    raw = loaded.cast_column("image", datasets.Image(decode=False))
    assert {(row["identity"], row["image"]["bytes"]) for row in raw} == PHOTOS
    assert {type(row["label"]) for row in raw} == {int}
