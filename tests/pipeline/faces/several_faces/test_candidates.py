"""The further faces of photos: which are kept, which photos are read again, and what happens when one is gone."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.refine.tables import build_faces, build_photos
from pipeline import schema
from pipeline.faces.align import TEMPLATE, share_inside
from pipeline.faces.several_faces.candidates import candidate_shard
from pipeline.sources.index import Source
from pipeline.sources.photo import SourceUnreachable
from pipeline.tables.digests import content_digest
from pipeline.tables.table import Shard
from tests.builders.photos.tile_photos import TileDetector, write_tile_photos

PEOPLE = {
    "a/one.png": [(0, 60)],
    "a/two.png": [(1, 60), (0, 40)],
    "b/crowd.png": [(n, 30 + n) for n in range(12)],
}


class Tables:
    """The photos, faces and candidates of a folder of photos, one shard each."""

    def __init__(self, folder: Path, *, photos: str = "photos") -> None:
        self.folder, self.detector = folder, TileDetector()
        source = [Source("photos", "image-folder", str(folder / photos))]
        self.photos, self.locations = build_photos(str(folder / "root"), source, shards=1)
        self.faces = build_faces(str(folder / "root"), self.photos, self.locations, self.detector, aligned=False)
        self.detector.photos = 0

    @property
    def part(self) -> tuple[Shard, Shard]:
        return self.photos.shards[0], self.faces.shards[0]

    def with_column(self, name: str, values: list[object]) -> Shard:
        """The shard of photos with other values in a column."""
        table = self.photos.read()
        column = pa.array(values, table.schema.field(name).type)
        file = self.folder / f"root/{name}.parquet"
        pq.write_table(table.set_column(table.schema.get_field_index(name), name, column), file)
        return Shard(file.name, content_digest(file.read_bytes()), len(table))

    def candidates(self, part: tuple[Shard, Shard] | None = None, *, reuse: object = (), **limits: float) -> pa.Table:
        return candidate_shard(
            part or self.part,
            root=str(self.folder / "root"),
            detector=self.detector,
            locations=self.locations,
            reuse=reuse,  # type: ignore[arg-type]
            **{"most": 8, "min_px": 12.0, **limits},  # type: ignore[arg-type]
        )


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    write_tile_photos(tmp_path / "photos", PEOPLE)
    return Tables(tmp_path)


def keys(tables: Tables, candidates: pa.Table) -> list[str]:
    of_photo = dict(zip(*(tables.photos.read()[c].to_pylist() for c in ("face_id", "key")), strict=True))
    return [of_photo[photo] for photo in candidates["photo"].to_pylist()]


def test_all_faces_but_the_main_one_are_kept_the_largest_first_and_at_most_so_many(tables: Tables) -> None:
    candidates = tables.candidates()
    assert keys(tables, candidates) == ["a/two.png"] + ["b/crowd.png"] * 8
    assert tables.detector.photos == 2, "a photo of one face is not read again"
    sizes = candidates["size_px"].to_pylist()
    crowd = tables.faces.read()["size_px"].to_pylist()[2]
    assert sizes[0] == pytest.approx(40, abs=0.1)
    assert [round(s) for s in sizes[1:]] == [n for n in range(41, 29, -1) if n != round(crowd)][:8]
    assert len(set(candidates["face_id"].to_pylist())) == 9
    assert len(tables.candidates(most=3)) == 4
    assert keys(tables, tables.candidates(min_px=39.5)) == ["a/two.png", *["b/crowd.png"] * 2]


def test_a_photo_with_a_given_box_and_an_unnamed_photo_have_no_candidates(tables: Tables) -> None:
    boxed = tables.with_column("box", [None, [0.0, 0.0, 0.5, 0.5], None])
    assert keys(tables, tables.candidates((boxed, tables.faces.shards[0]))) == ["b/crowd.png"] * 8
    unnamed = tables.with_column("identity", [None, None, "b"])
    assert keys(tables, tables.candidates((unnamed, tables.faces.shards[0]))) == ["b/crowd.png"] * 8


def test_rows_of_unchanged_photos_are_copied_with_the_identity_of_now(tables: Tables) -> None:
    first = tables.candidates()
    pq.write_table(first, tables.folder / "root/first.parquet")
    shard = Shard("first.parquet", content_digest((tables.folder / "root/first.parquet").read_bytes()), len(first))
    renamed = tables.with_column("identity", ["c", "c", "c"])
    tables.detector.photos = 0
    again = tables.candidates((renamed, tables.faces.shards[0]), reuse=[(tables.part, shard)])
    assert tables.detector.photos == 0
    assert set(again["identity"].to_pylist()) == {"c"}
    others = [name for name in schema.CANDIDATES.names if name != "identity"]
    assert again.select(others).equals(first.select(others))


def test_a_photo_that_is_gone_stops_the_run(tables: Tables) -> None:
    (tables.folder / "photos/b/crowd.png").unlink()
    with pytest.raises(SourceUnreachable, match=r"b/crowd.png was read a moment ago"):
        tables.candidates()


def test_the_share_of_a_face_that_lies_in_the_photo() -> None:
    assert share_inside(TEMPLATE, (112, 112, 3)) == 1
    assert share_inside(TEMPLATE - np.array([56, 0]), (112, 112, 3)) == 0.5
    assert share_inside(TEMPLATE * 2, (112, 224, 3)) == 0.5
