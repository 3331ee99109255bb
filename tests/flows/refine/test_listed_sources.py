"""The same photos in folders, in a list, in WebDataset archives and in Parquet give the same faces and names."""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.refine.flow import refine
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.processes.command_line import Command, options

pytestmark = pytest.mark.slow
Row = tuple[str, str, bytes]  # path, identity, bytes
MODELS = options({"detector": str(DETECTOR), "embedder": str(EMBEDDER)})


def in_a_list(rows: list[Row], out: Path) -> Path:
    """A flat folder of pictures, and a CSV that names them."""
    (out / "pictures").mkdir(parents=True)
    with open(out / "list.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "identity"])
        for path, identity, data in rows:
            name = path.replace("/", "_")
            (out / "pictures" / name).write_bytes(data)
            writer.writerow([f"/elsewhere/pictures/{name}", identity])
    return out / "list.csv"


def in_archives(rows: list[Row], out: Path) -> Path:
    """Two archives, of which one is compressed."""
    out.mkdir()
    for part, name in enumerate(("0.tar", "1.tar.gz")):
        with tarfile.open(out / name, "w:gz" if part else "w") as tar:
            for i, (path, identity, data) in enumerate(rows[part::2]):
                suffix = path.rsplit(".", 1)[1]
                for name, content in ((f"{i}.json", json.dumps({"label": identity}).encode()), (f"{i}.{suffix}", data)):
                    entry = tarfile.TarInfo(name)
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
    return out


def in_parquet(rows: list[Row], out: Path) -> Path:
    names = sorted({identity for _, identity, _ in rows})
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = pa.table(
        {
            "image": [{"bytes": data, "path": path} for path, _, data in rows],
            "label": [names.index(identity) for _, identity, _ in rows],
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    (out / "data").mkdir(parents=True)
    pq.write_table(table, out / "data/train-00000-of-00001.parquet", row_group_size=20)
    return out


Face = tuple[str, bytes | None, str | None]


def faces_of(root: Path) -> dict[str, Face]:
    """Of each photo, by the digest of its bytes: its claimed identity, its face, and why it has none."""
    rows = latest(str(root)).faces.read(["sha", "identity", "jpeg", "failure"]).to_pylist()
    return {r["sha"]: (r["identity"], r["jpeg"], r["failure"]) for r in rows}


@pytest.fixture(scope="module")
def rows(drawn_world: Path) -> list[Row]:
    """Photos that differ in their bytes: of two equal files it depends on the name which is the duplicate."""
    paths = sorted((drawn_world / "photos").glob("*/*"))
    distinct = {path.read_bytes(): path for path in reversed(paths)}
    photos = {path: data for data, path in distinct.items() if data}
    people = sorted({path.parent.name for path in photos})[:8]
    chosen = [path for path in sorted(photos) if path.parent.name in people]
    return [(str(path.relative_to(drawn_world / "photos")), path.parent.name, photos[path]) for path in chosen]


@pytest.fixture(scope="module")
def from_folders(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Face]:
    """The faces of the photos in folders of people."""
    folder = tmp_path_factory.mktemp("folders")
    for path, _, data in rows:
        (folder / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / path).write_bytes(data)
    refine.fn(str(folder / "root"), ["image-folder", str(folder / "photos")], str(DETECTOR), str(EMBEDDER))
    return faces_of(folder / "root")


@pytest.mark.parametrize(
    ("kind", "write"),
    [("photo-list", in_a_list), ("webdataset", in_archives), ("parquet", in_parquet)],
    ids=["photo-list", "webdataset", "parquet"],
)
def test_the_same_photos_give_the_same_faces_and_names(
    kind: str,
    write: Callable[[list[Row], Path], Path],
    rows: list[Row],
    from_folders: dict[str, Face],
    refinery: Command,
    tmp_path: Path,
) -> None:
    status, _, err = refinery("refine", tmp_path / "root", kind, write(rows, tmp_path / "data"), *MODELS)
    assert status == 0, err
    assert len(from_folders) == len(rows) > 40
    assert len({identity for identity, _, _ in from_folders.values()}) > 4
    assert faces_of(tmp_path / "root") == from_folders
