"""The first two tables: what a source holds, and the same dealt to shards so that no identity crosses one.

An identity's shard is a hash of its name, so it stays where it is while the data grows. The index is sorted by that
hash, and a shard of photos reads only its own range of it.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.errors import UserError
from pipeline.schema import face_id
from pipeline.sources import Photo, source
from pipeline.tables import storage
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table

INDEX = schema.PHOTOS.append(pa.field("deal", pa.uint32()))
CHUNK = 65536  # photos turned to columns at a time: what bounds the memory of an index is its columns, not its names
LARGEST = 2048  # photos a shard, on average, at most
AT_LEAST = 32  # shards, so that there is something to share out and to see moving


class Source(NamedTuple):
    """A place photos come from: its name in the tables, its kind on the command line, its path."""

    name: str
    kind: str
    path: str


class IndexPart(NamedTuple):
    """One part of one source, and whether its identities' names need the source's before them."""

    name: str
    kind: str
    prefix: bool
    part: Any


def photos(
    root: str, sources: Sequence[Source], *, shards: int | None = None, workers: Workers = None
) -> tuple[Table, dict[str, tuple[str, str]]]:
    """The photos table of some sources, and where each source lies (name -> kind, path) for those who read photos.

    shards: how many; by default a power of two that keeps a shard under LARGEST photos. With several sources the same
    name in two of them is two claims, so identities are called "source/identity". Raises UserError when there is no
    photo at all or two sources share a name.
    """
    where = {s.name: (s.kind, s.path) for s in sources}
    if len(where) < len(sources):
        raise UserError(f"two sources are called {sources[-1].name}: call one NAME=PATH")
    parts = [
        IndexPart(s.name, s.kind, len(sources) > 1, part) for s in sources for part in source(s.kind).parts(s.path)
    ]
    index = build(root, "index", index_shard, parts, schema=INDEX, version=2, workers=workers)
    if not len(index):
        raise UserError(f"no photo in {', '.join(s.path for s in sources)}: give a folder or file that holds some")
    of = shards or _default_shards(len(index))
    deals = [(i, of) for i in range(of)]
    table = build(
        root,
        "photos",
        photos_shard,
        deals,
        schema=schema.PHOTOS,
        workers=workers,
        index=index.shards,
        carry={"root": root},
    )
    return table, where


def _default_shards(rows: int) -> int:
    size = max(128, min(LARGEST, -(-rows // AT_LEAST)))
    return 1 << (-(-rows // size) - 1).bit_length()


def alike(new: Table, old: Table | None) -> list[list[Shard]]:
    """For each shard of a table that is dealt like photos, those of an older one that the same names are dealt to."""
    n, m = len(new.shards), len(old.shards) if old else 0
    return [old.shards[i * m // n : -(-(i + 1) * m // n)] if old else [] for i in range(n)]


def index_shard(part: IndexPart) -> pa.Table:
    """The photos of one part of a source with the number that deals them, sorted by it."""
    module = source(part.kind)
    found = iter(module.index(part.part))
    chunks = [_columns(chunk, part) for chunk in iter(lambda: list(islice(found, CHUNK)), [])]
    table = pa.concat_tables(chunks) if chunks else INDEX.empty_table()
    return table.sort_by(
        [("deal", "ascending"), ("identity", "ascending"), ("key", "ascending"), ("offset", "ascending")]
    )


def _columns(chunk: list[Photo], part: IndexPart) -> pa.Table:
    names = [f"{part.name}/{p.identity}" if part.prefix and p.identity else p.identity for p in chunk]
    return pa.table(
        {
            "face_id": [face_id(part.name, p.key) for p in chunk],
            "source": [part.name] * len(chunk),
            "key": [p.key for p in chunk],
            "identity": pa.array(names, pa.string()),
            "box": pa.array([p.box for p in chunk], pa.list_(pa.float32(), 4)),
            "file": [p.file for p in chunk],
            "offset": [p.offset for p in chunk],
            "length": [p.length for p in chunk],
            "modified": [p.modified for p in chunk],
            "failure": pa.array([p.failure for p in chunk], pa.string()),
            "deal": pa.array([_deal(p.identity or p.key) for p in chunk], pa.uint32()),
        },
        schema=INDEX,
    )


def _deal(name: str) -> int:
    """Where a name is dealt, from 0 to 2^32; the source is left out of it, so that a further source moves nobody."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big")


def photos_shard(part: tuple[int, int], *, index: Sequence[Shard], root: str) -> pa.Table:
    """Shard i of n: the photos whose identities are dealt there, by identity and key; a key that comes twice is told
    apart by where its bytes lie."""
    i, of = part
    low, high = -(-(i << 32) // of), -(-((i + 1) << 32) // of)
    files, base = storage.open_root(root)
    filters = [("deal", ">=", low), ("deal", "<", high)]
    read = [pq.read_table(f"{base}/{s.path}", filesystem=files, filters=filters) for s in index if s.rows]
    order = [(name, "ascending") for name in ("identity", "key", "source", "file", "offset")]
    table = pa.concat_tables(read).sort_by(order)
    ids, sources, keys = (table[c].to_pylist() for c in ("face_id", "source", "key"))
    if len(set(ids)) < len(ids):
        keys = list(_distinct(table, keys))
        ids = [face_id(s, k) for s, k in zip(sources, keys, strict=True)]
        table = table.set_column(0, "face_id", pa.array(ids)).set_column(2, "key", pa.array(keys))
    return table


def _distinct(table: pa.Table, keys: list[str]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for name, key, file, offset in zip(
        table["source"].to_pylist(), keys, table["file"].to_pylist(), table["offset"].to_pylist(), strict=True
    ):
        unique = f"{key}@{file}:{offset}" if (name, key) in seen else key
        seen.add((name, unique))
        yield unique
