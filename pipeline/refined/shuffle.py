"""The refined table: the faces that stay, in one global order, made by two bounded passes over the shards.

First every few shards of faces are sorted by place; then each refined shard takes its range of places from all of them.
Neither pass holds more than a shard, however large the data set. The order is a seeded shuffle (what a trainer reads
from start to end), or by label (what RecordIO with identity ranges wants).
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.errors import UserError
from pipeline.tables import storage
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table, read_shard

PLACED = schema.REFINED.insert(0, pa.field("place", pa.uint64()))
SAMPLES_A_SHARD = 16384  # about 130 MB of faces
TOGETHER = 16  # shards of faces sorted as one
SPREAD = 1 << 31  # places: the upper half of a uint64 says the label, the lower half a seeded hash


def identities(root: str, labels: Table, *, workers: Workers = None) -> Table:
    """The identities that stay, in the order of their names: label 0, 1, 2... and how many photos each has."""
    parts = [tuple(labels.shards)]
    return build(
        root, "identities", identities_shard, parts, schema=schema.IDENTITIES, workers=workers, unnamed={"root": root}
    )


def identities_shard(part: Sequence[Shard], *, root: str) -> pa.Table:
    """The names and counts of all identities in the labels."""
    counts: Counter[str] = Counter()
    for shard in part:
        counts.update(i for i in read_shard(root, shard, ["identity"])["identity"].to_pylist() if i is not None)
    names = sorted(counts)
    return pa.table(
        {"label": range(len(names)), "identity": names, "photos": [counts[n] for n in names]}, schema=schema.IDENTITIES
    )


def refined(
    root: str,
    labels: Table,
    faces: Table,
    who: Table,
    *,
    order: str = "shuffle",
    seed: int = 0,
    workers: Workers = None,
) -> Table:
    """The refined table: one row for each face that stays, in the given order ("shuffle" or "label").

    Raises UserError when no face stays.
    """
    kept = sum(who.read(["photos"])["photos"].to_pylist())
    if not kept:
        raise UserError("no photo stays after the refinement: see the account for the reasons")
    pairs = list(zip(labels.shards, faces.shards, strict=True))
    groups = [tuple(pairs[i : i + TOGETHER]) for i in range(0, len(pairs), TOGETHER)]
    placed = build(
        root,
        "placed",
        place_shard,
        groups,
        schema=PLACED,
        params={"who": who.shards, "order": order, "seed": seed},
        workers=workers,
        unnamed={"root": root},
    )
    of = -(-kept // SAMPLES_A_SHARD)
    return build(
        root,
        "refined",
        refined_shard,
        [(i, of) for i in range(of)],
        schema=schema.REFINED,
        params={"placed": placed.shards, "labels": len(who) if order == "label" else 1},
        workers=workers,
        unnamed={"root": root},
    )


def place_shard(
    part: Sequence[tuple[Shard, Shard]], *, who: Sequence[Shard], order: str, seed: int, root: str
) -> pa.Table:
    """The faces of some shards that stay, with their places in the whole, sorted by them."""
    label_of: dict[str, int] = {}
    for shard in who:
        rows = read_shard(root, shard, ["identity", "label"])
        label_of |= dict(zip(rows["identity"].to_pylist(), rows["label"].to_pylist(), strict=True))
    tables = []
    for labels, faces in part:
        named = read_shard(root, labels, ["face_id", "key", "identity"])
        jpeg = read_shard(root, faces, ["jpeg"])["jpeg"]
        stays = named["identity"].is_valid()
        rows = named.append_column("jpeg", jpeg).filter(stays)
        label = [label_of[i] for i in rows["identity"].to_pylist()]
        hashes = [_hash(seed, f) for f in rows["face_id"].to_pylist()]
        first = label if order == "label" else [0] * len(label)
        place = pa.array([f * SPREAD + h for f, h in zip(first, hashes, strict=True)], pa.uint64())
        tables.append(rows.append_column("label", pa.array(label, pa.int64())).append_column("place", place))
    return pa.concat_tables(tables).select(PLACED.names).sort_by([("place", "ascending"), ("face_id", "ascending")])


def _hash(seed: int, face: str) -> int:
    return int.from_bytes(blake2b(f"{seed}:{face}".encode(), digest_size=4).digest(), "big") >> 1


def refined_shard(part: tuple[int, int], *, placed: Sequence[Shard], labels: int, root: str) -> pa.Table:
    """Shard i of n of the refined table: the rows whose places fall into its range."""
    i, of = part
    last = labels * SPREAD
    low, high = i * last // of, (i + 1) * last // of
    files, base = storage.open_root(root)
    filters = [("place", ">=", low), ("place", "<", high)]
    read = [pq.read_table(f"{base}/{s.path}", filesystem=files, filters=filters) for s in placed]
    order = [("place", "ascending"), ("face_id", "ascending")]
    return pa.concat_tables(read).sort_by(order).select(schema.REFINED.names)
