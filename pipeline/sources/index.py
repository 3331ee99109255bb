"""The index and the photos table: what the sources hold, assigned to shards so that no identity crosses one.

An identity's shard is a hash of its name, so it stays where it is while the data grows. The index is sorted by that
hash, and a shard of photos reads only its own range of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline import schema
from pipeline.errors import UserError
from pipeline.schema import face_id
from pipeline.sources.box_lists import BoxFiles, box_files, read_boxes
from pipeline.sources.boxed_photos import ListedSource, tell_boxes
from pipeline.sources.files import FolderOptions
from pipeline.sources.kinds import SOURCES, source_format, source_parts
from pipeline.sources.photo import Photo
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table, read_range

# deal: the hash that assigns a photo to a shard; of its identity, or of its key where it claims no identity
INDEX = schema.PHOTOS.append(pa.field("deal", pa.uint32()))
CHUNK = 65536  # photos turned into columns at a time, because columns take less memory than Python's strings
MAX_SHARD_PHOTOS = 2048  # on average
MIN_SHARDS = 32  # where there are enough photos: so that workers can share them and progress is visible
MIN_SHARD_PHOTOS = 128


class Source(NamedTuple):
    """A data set that photos come from: its name in the tables, its kind (see kinds.SOURCES), its path.

    options: how its folders are read, where it consists of folders. boxes: the paths of lists of boxes for its photos.
    """

    name: str
    kind: str
    path: str
    options: FolderOptions = FolderOptions()
    boxes: tuple[str, ...] = ()


class SourceLocation(NamedTuple):
    """How to read the photos of a source: its kind and its path."""

    kind: str
    path: str


class PhotoRow(NamedTuple):
    """A row of the photos table: see schema.PHOTOS."""

    face_id: str
    source: str
    key: str
    identity: str | None
    box: Sequence[float] | None
    file: str
    offset: int
    length: int
    modified: int
    failure: str | None


class IndexPart(NamedTuple):
    """One part of one source. prefix_identities: identities are called "source/identity". boxes: lists of boxes."""

    source: str
    kind: str
    prefix_identities: bool
    part: Any
    boxes: BoxFiles = ()


def check_named(photos: Table, sources: Sequence[Source]) -> None:
    """Raise UserError where no photo of a data set has an identity: its noise is what contradicts the identities."""
    if not any(rows["identity"].null_count < len(rows) for rows in photos.batches(["identity"])):
        raise UserError(
            f"no photo in {', '.join(s.path for s in sources)} has an identity, so that there is nothing to compare it "
            "with: give a source that says whom each photo shows"
        )


def index_photos(
    root: str, sources: Sequence[Source], *, shards: int | None = None, workers: Workers = None
) -> tuple[Table, dict[str, SourceLocation]]:
    """The photos table of all sources, and the location of each source by its name.

    shards: their number; by default a power of two that keeps a shard under MAX_SHARD_PHOTOS. With several sources,
    identities are called "source/identity", because the same name in two sources may be two people. Raises UserError
    when there is no photo at all, two sources share a name, or a given list of boxes names no photo or several by one
    name.
    """
    locations = {s.name: SourceLocation(s.kind, s.path) for s in sources}
    if len(locations) < len(sources):
        raise UserError(f"two sources are called {sources[-1].name}: call one NAME=PATH")
    boxes = {s.name: box_files(s.boxes, s.path) if s.kind in SOURCES else () for s in sources}
    parts = [
        IndexPart(s.name, s.kind, len(sources) > 1, part, boxes[s.name])
        for s in sources
        for part in source_parts(s.kind, s.path, s.options)
    ]
    version = 4 if any(boxes.values()) else 3  # paths of lists of boxes are compared as a whole since 4
    index = build(root, "index", index_shard, parts, schema=INDEX, version=version, workers=workers)
    if not len(index):
        raise UserError(f"no photo in {', '.join(s.path for s in sources)}: give a folder or file that holds photos")
    tell_boxes(index, [ListedSource(s.name, s.path, s.boxes, boxes[s.name]) for s in sources])
    count = shards or _default_shards(len(index))
    table = build(
        root,
        "photos",
        photos_shard,
        [(i, count) for i in range(count)],
        schema=schema.PHOTOS,
        params={"index": index.shards},
        workers=workers,
        unhashed={"root": root},
    )
    return table, locations


def _default_shards(rows: int) -> int:
    size = max(MIN_SHARD_PHOTOS, min(MAX_SHARD_PHOTOS, -(-rows // MIN_SHARDS)))
    return 1 << (-(-rows // size) - 1).bit_length()


def earlier_shards(new: Table, old: Table | None) -> list[list[Shard]]:
    """For each shard of `new`, the shards of `old` that hold the same identities; both are sharded like photos."""
    n, m = len(new.shards), len(old.shards) if old else 0
    return [old.shards[i * m // n : -(-(i + 1) * m // n)] if old else [] for i in range(n)]


def index_shard(part: IndexPart) -> pa.Table:
    """The photos of one part of a source, sorted by the hash that assigns them to shards."""
    photos = iter(source_format(part.kind).index(part.part))
    if part.boxes:
        table = read_boxes(part.boxes)
        photos = (p if p.box else p._replace(box=table.box_of(p.key)) for p in photos)
    chunks = [_columns(chunk, part) for chunk in iter(lambda: list(islice(photos, CHUNK)), [])]
    table = pa.concat_tables(chunks) if chunks else INDEX.empty_table()
    return table.sort_by(
        [("deal", "ascending"), ("identity", "ascending"), ("key", "ascending"), ("offset", "ascending")]
    )


def _columns(photos: list[Photo], part: IndexPart) -> pa.Table:
    prefix = f"{part.source}/" if part.prefix_identities else ""
    identities = [f"{prefix}{p.identity}" if p.identity else p.identity for p in photos]
    return pa.table(
        {
            "face_id": [face_id(part.source, p.key) for p in photos],
            "source": [part.source] * len(photos),
            "key": [p.key for p in photos],
            "identity": pa.array(identities, pa.string()),
            "box": pa.array([p.box for p in photos], pa.list_(pa.float32(), 4)),
            "file": [p.file for p in photos],
            "offset": [p.offset for p in photos],
            "length": [p.length for p in photos],
            "modified": [p.modified for p in photos],
            "failure": pa.array([p.failure for p in photos], pa.string()),
            "deal": pa.array([_shard_hash(p.identity or p.key) for p in photos], pa.uint32()),
        },
        schema=INDEX,
    )


def _shard_hash(name: str) -> int:
    """The hash, 0 to 2^32 - 1, that assigns an identity or key to a shard.

    It does not depend on the source, so that identities stay in their shards when a source is added.
    """
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big")


def photos_shard(part: tuple[int, int], *, index: Sequence[Shard], root: str) -> pa.Table:
    """Shard i of n, part (i, n): the photos whose hash lies in its range, sorted by identity and key.

    A key that comes twice in a source is made unique: the photo's file and offset are added to it.
    """
    i, n = part
    low, high = -(-(i << 32) // n), -(-((i + 1) << 32) // n)
    tables = [read_range(root, shard, "deal", low, high) for shard in index if shard.rows]
    order = [(name, "ascending") for name in ("identity", "key", "source", "file", "offset")]
    table = pa.concat_tables(tables).sort_by(order)
    ids, sources, keys = (table[c].to_pylist() for c in ("face_id", "source", "key"))
    if len(set(ids)) < len(ids):
        keys = list(_distinct_keys(table))
        ids = [face_id(s, k) for s, k in zip(sources, keys, strict=True)]
        table = table.set_column(0, "face_id", pa.array(ids)).set_column(2, "key", pa.array(keys))
    return table


def _distinct_keys(table: pa.Table) -> Iterator[str]:
    """The keys of a table of photos, made unique within each source."""
    seen: set[tuple[str, str]] = set()
    columns = (table[name].to_pylist() for name in ("source", "key", "file", "offset"))
    for source, key, file, offset in zip(*columns, strict=True):
        unique = f"{key}@{file}:{offset}" if (source, key) in seen else key
        seen.add((source, unique))
        yield unique


def read_photo(row: PhotoRow, locations: Mapping[str, SourceLocation]) -> bytes:
    """The bytes of a row's photo. Raises PhotoChanged when the file changed since it was indexed."""
    kind, path = locations[row.source]
    photo = Photo(row.key, row.identity, row.file, row.offset, row.length, row.modified)
    return source_format(kind).read(path, photo)
