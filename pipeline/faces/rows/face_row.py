"""A row of the faces table, and the parts that a shard of it is made from."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from pipeline import schema
from pipeline.tables.table import Shard

ROWS = 128  # converted to columns at a time: as Python objects rows take twice as much memory


class PhotosReadAgain(NamedTuple):
    """A shard of photos, and the ids of those that could not be read when its faces were first made, and can be now."""

    photos: Shard
    face_ids: tuple[str, ...]


class PartWithTombstones(NamedTuple):
    """A part of a root in which photos were erased on request; tombstones: the digest of all of the root's."""

    part: Shard | PhotosReadAgain
    tombstones: str


def photos_of(part: Shard | PhotosReadAgain | PartWithTombstones) -> tuple[Shard, tuple[str, ...]]:
    """The shard of photos of a part, and the ids of those that are read again."""
    plain = part.part if isinstance(part, PartWithTombstones) else part
    return (plain.photos, plain.face_ids) if isinstance(plain, PhotosReadAgain) else (plain, ())


class FaceRow(NamedTuple):
    """A row of the faces table: see schema.FACES."""

    face_id: str
    identity: str | None
    sha: str | None = None
    sketch: bytes | None = None
    jpeg: bytes | None = None
    landmarks: list[float] | None = None
    score: float | None = None
    others: int | None = None
    sharpness: float | None = None
    exposure: float | None = None
    yaw: float | None = None
    size_px: float | None = None
    failure: str | None = None


def faces_table(rows: Iterable[FaceRow]) -> pa.Table:
    """The faces table of rows, which are taken ROWS at a time."""
    remaining, blocks = iter(rows), [schema.FACES.empty_table()]
    while block := list(islice(remaining, ROWS)):
        blocks.append(pa.Table.from_pylist([row._asdict() for row in block], schema=schema.FACES))
    return pa.concat_tables(blocks)
