"""Parquet as `datasets` writes it, and shards as `webdataset` writes them, read by their sources."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.kinds import source_format
from tests.builders.file_trees import put_files
from tests.builders.photos.encoded_pictures import encoded, every_format, scene

pytestmark = pytest.mark.slow
PICTURES = [encoded(scene(), ".jpg"), every_format()["png"], every_format()["webp"]]


def read(kind: str, path: Path) -> list[tuple[str | None, bytes]]:
    """The identity and the bytes of each photo."""
    module = source_format(kind)
    photos = [photo for part in module.parts(path) for photo in module.index(part)]
    return [(photo.identity, module.read(path, photo)) for photo in photos]


@pytest.mark.parametrize("named", [True, False], ids=["class labels", "text"])
def test_parquet_of_datasets(tmp_path: Path, named: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")
    put_files(tmp_path / "in", {f"{i}.jpg": data for i, data in enumerate(PICTURES)})
    names = ["Ann", "Bob"]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=names) if named else datasets.Value("string")}
    )
    rows = {"image": [str(tmp_path / f"in/{i}.jpg") for i in range(3)], "label": ["Ann", "Bob", "Ann"]}
    data = datasets.Dataset.from_dict(rows, features=features)
    (tmp_path / "paths").mkdir()
    data.to_parquet(tmp_path / "paths/train-00000-of-00001.parquet")
    with pytest.raises(UserError, match=r"the 3 rows of .* hold no picture, but a path at most: .*embed_table_storage"):
        source_format("parquet").parts(tmp_path / "paths")
    data = data.with_format("arrow").map(datasets.table.embed_table_storage, batched=True).with_format(None)
    (tmp_path / "out/data").mkdir(parents=True)
    for i in range(2):
        data.shard(2, i, contiguous=True).to_parquet(tmp_path / f"out/data/train-0000{i}-of-00002.parquet")
    assert read("parquet", tmp_path / "out") == list(zip(rows["label"], PICTURES, strict=True))


def test_shards_of_webdataset(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.ShardWriter(str(tmp_path / "%05d.tar"), maxcount=2, verbose=0) as sink:
        for i, (suffix, data) in enumerate(zip(("jpg", "png", "webp"), PICTURES, strict=True)):
            sink.write({"__key__": f"{i:06}", suffix: data} | ({"json": {"identity": f"p{i}"}} if i else {"cls": 7}))
    assert len(list(tmp_path.glob("*.tar"))) == 2
    assert read("webdataset", tmp_path) == list(zip(("7", "p1", "p2"), PICTURES, strict=True))
