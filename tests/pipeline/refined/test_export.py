"""The refined table in one global order, and its export in three formats, which are complete and can be read again."""

import csv
import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.refine.verify import verify
from pipeline import schema
from pipeline.errors import UserError
from pipeline.refined import shuffle
from pipeline.refined.export import FACE_FORMATS, export, safe_name
from pipeline.sources.record_io import reader
from pipeline.tables.build import build
from pipeline.tables.table import Table
from tests.builders.file_trees import file_bytes
from tests.builders.tables.label_shards import IDENTITIES, faces_shard, labels_shard, refined_of


@pytest.fixture
def tables(tmp_path: Path) -> tuple[str, Table, Table]:
    root = str(tmp_path / "root")
    labels = build(root, "labels", labels_shard, [0, 1, 2], schema=schema.LABELS, params={"each": 6})
    return root, labels, build(root, "faces", faces_shard, [0, 1, 2], schema=schema.FACES, params={"each": 6})


def refined_table(tables: tuple[str, Table, Table], order: str, **options: int) -> tuple[Table, Table]:
    root, labels, faces = tables
    identities = shuffle.identities(root, labels)
    return shuffle.refined(root, labels, faces, identities, order=order, **options), identities


def test_every_kept_face_is_there_once_with_its_own_picture_and_label(tables: tuple) -> None:
    refined, identities = refined_table(tables, "shuffle")
    pictures = {r["face_id"]: r["jpeg"] for r in tables[2].read().to_pylist()}
    kept = {r["face_id"]: r for r in tables[1].read().to_pylist() if r["identity"] is not None}
    names = dict(zip(identities.read()["label"].to_pylist(), identities.read()["identity"].to_pylist(), strict=True))
    rows = refined.read().to_pylist()
    assert sorted(r["face_id"] for r in rows) == sorted(kept)
    for row in rows:
        assert row["jpeg"] == pictures[row["face_id"]]
        assert row["identity"] == kept[row["face_id"]]["identity"] == names[row["label"]]
    assert sorted(names.values()) == list(names.values())
    assert identities.read()["photos"].to_pylist() == [12] * 5


def test_the_shuffle_is_global_and_follows_the_seed(tables: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [r["face_id"] for r in refined_table(tables, "shuffle")[0].read().to_pylist()]
    assert first == [r["face_id"] for r in refined_table(tables, "shuffle")[0].read().to_pylist()]
    assert first != [r["face_id"] for r in refined_table(tables, "shuffle", seed=1)[0].read().to_pylist()]
    changes = sum(a[0] != b[0] for a, b in itertools.pairwise(first))
    assert changes > len(first) / 2, "neighbours come from different shards"
    monkeypatch.setattr(shuffle, "SAMPLES_A_SHARD", 7)
    monkeypatch.setattr(shuffle, "SHARDS_A_SORT", 2)
    small_shards, _ = refined_table(tables, "shuffle")
    assert len(small_shards.shards) > 5
    assert [r["face_id"] for r in small_shards.read().to_pylist()] == first, "the order does not depend on the shards"


def test_by_label_the_faces_of_an_identity_lie_together(tables: tuple) -> None:
    labels = refined_table(tables, "label")[0].read()["label"].to_pylist()
    assert labels == sorted(labels)


@pytest.mark.parametrize("layout", ["identity_ranges", "plain"])
def test_recordio_is_read_back_with_the_same_pictures_and_labels(tables: tuple, tmp_path: Path, layout: str) -> None:
    refined, identities = refined_table(tables, "label" if layout == "identity_ranges" else "shuffle")
    out = tmp_path / "out"
    assert export(refined, identities, out, format="recordio", layout=layout) == 60
    wanted = {r["key"]: (r["identity"], r["jpeg"]) for r in refined.read().to_pylist()}
    exported = {}
    for part in reader.parts(out):
        for photo in reader.index(part):
            exported[photo.key] = (photo.identity, reader.read(out, photo))
    assert exported == wanted
    assert (out / "property").read_text().strip() == "5,112,112"


def test_parquet_is_plain_parquet_in_the_shuffled_order_without_groups(tables: tuple, tmp_path: Path) -> None:
    refined, identities = refined_table(tables, "shuffle")
    export(refined, identities, tmp_path / "out", format="parquet")
    read = pa.concat_tables([pq.read_table(p) for p in sorted((tmp_path / "out").glob("*.parquet"))])
    assert read["face_id"].to_pylist() == refined.read()["face_id"].to_pylist()
    assert read.schema.names == schema.REFINED.names
    with open(tmp_path / "out/identities.tsv", newline="") as stream:
        assert [r["identity"] for r in csv.DictReader(stream, delimiter="\t")] == sorted(IDENTITIES)


def test_folders_never_escape_and_never_collide(tables: tuple, tmp_path: Path) -> None:
    refined, identities = refined_table(tables, "label")
    export(refined, identities, tmp_path / "a/out", format="folder")
    files = list((tmp_path / "a").rglob("*.jpg"))
    assert len(files) == 60
    assert len({p.parent for p in files}) == 5
    assert all(p.parent.parent == tmp_path / "a/out" for p in files)
    assert safe_name("a/b", 3) != safe_name("a_b", 4)
    assert safe_name("..", 1) == "identity~1"
    assert safe_name("x~1", 2) != safe_name("x/", 1)
    assert safe_name("readme", 3) == "readme"


def test_identities_called_like_files_of_an_export_have_folders_of_their_own(tmp_path: Path) -> None:
    names = ["README.md", "identities.tsv", "digests.tsv", "_changes", "manifest.json", "Readme.MD", "Digests.tsv"]
    pictures = {name: [b"\xff\xd8" + name.encode()] for name in names}
    refined, identities = refined_of(str(tmp_path), pictures)
    export(refined, identities, tmp_path / "out", format="folder", card=write_small_card)
    assert {f.parent.name: f.read_bytes()[2:].decode() for f in (tmp_path / "out").glob("*/*.jpg")} == {
        f"{name}~{i}": name for i, name in enumerate(sorted(names))
    }
    assert not verify(str(tmp_path / "out")).faults


def write_small_card(folder: Path, shards: list[dict[str, object]]) -> None:
    """As the data card of a refinement: a text, and lists in a folder."""
    (folder / "README.md").write_text("a card")
    (folder / "_changes").mkdir()
    (folder / "_changes/removed.tsv").write_text("source\n")


@pytest.mark.parametrize("format", FACE_FORMATS)
def test_every_file_of_an_export_is_checked(tables: tuple, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    export(*refined_table(tables, "label"), out, format=format, card=write_small_card)
    assert not verify(str(out)).faults
    lists = {"digests.tsv"} if format == "folder" else {"manifest.json"}
    files = sorted(file_bytes(out).keys() - lists)
    assert {"README.md", "identities.tsv", "_changes/removed.tsv"} < set(files)
    assert sum(verify(str(out)).checked.values()) == len(files)
    for name in [n for n in files if not n.endswith(".jpg")]:
        whole = (out / name).read_bytes()
        (out / name).write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        assert verify(str(out)).faults == [("export", name, "other bytes than were written")]
        (out / name).unlink()
        assert verify(str(out)).faults == [("export", name, "missing")]
        (out / name).write_bytes(whole)


def test_a_list_of_digests_that_was_changed_or_cut_short_is_noticed(tables: tuple, tmp_path: Path) -> None:
    refined, identities = refined_table(tables, "label")
    export(refined, identities, tmp_path / "faces", format="folder")
    export(refined, identities, tmp_path / "parquet", format="parquet")
    lines = (tmp_path / "faces/digests.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "faces/digests.tsv").write_text("".join(lines[:5]))
    with pytest.raises(UserError, match=r"digests.tsv is damaged \(cut short after line 5\)"):
        verify(str(tmp_path / "faces"))
    manifest = tmp_path / "parquet/manifest.json"
    manifest.write_text(manifest.read_text().replace('"rows": 60', '"rows": 61'))
    with pytest.raises(UserError, match="its content is not what was written"):
        verify(str(tmp_path / "parquet"))


def test_an_export_never_writes_over_what_is_there(tables: tuple, tmp_path: Path) -> None:
    refined, identities = refined_table(tables, "shuffle")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something already"):
        export(refined, identities, tmp_path / "out", format="parquet")
    with pytest.raises(UserError, match="no format is called zip"):
        export(refined, identities, tmp_path / "new", format="zip")


def test_without_a_kept_photo_there_is_no_refined_table(tmp_path: Path) -> None:
    root = str(tmp_path)
    labels = build(root, "labels", labels_shard, [], schema=schema.LABELS, params={"each": 0})
    faces = build(root, "faces", faces_shard, [], schema=schema.FACES, params={"each": 0})
    with pytest.raises(UserError, match="no photo is kept"):
        shuffle.refined(root, labels, faces, shuffle.identities(root, labels))
