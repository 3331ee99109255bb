"""The refined table: the kept faces in one global order, made in two passes with bounded memory.

A face's place in the order is a number. The first pass sorts a few shards of faces at a time by place; the second makes
each refined shard from one range of places, read from all sorted shards. The order is a seeded shuffle, so that a
trainer can read the table from start to end, or by label, which RecordIO with identity ranges needs.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import pyarrow as pa

from pipeline import schema
from pipeline.errors import UserError
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table, read_range, read_shard

PLACED = schema.REFINED.insert(0, pa.field("place", pa.uint64()))
SAMPLES_A_SHARD = 16384  # about 130 MB of faces
SHARDS_A_SORT = 16  # shards of faces that the first pass sorts together
PLACES_A_LABEL = 1 << 31  # a place is label * PLACES_A_LABEL + a seeded hash of 31 bits: it fits uint64


def identities(root: str, labels: Table, *, workers: Workers = None) -> Table:
    """The identities table: kept identities in the order of their names, their labels 0, 1, 2... and photo counts."""
    parts = [tuple(labels.shards)]
    return build(
        root, "identities", identities_shard, parts, schema=schema.IDENTITIES, workers=workers, unhashed={"root": root}
    )


def identities_shard(part: Sequence[Shard], *, root: str) -> pa.Table:
    """All kept identities with their labels and numbers of photos; part: the shards of the labels table."""
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
    identities: Table,
    *,
    order: str = "shuffle",
    seed: int = 0,
    workers: Workers = None,
) -> Table:
    """The refined table: one row for each kept face.

    order: "shuffle", or "label" (by label, shuffled within one); seed: of the shuffle.
    Raises UserError when no photo is kept.
    """
    kept = sum(identities.read(["photos"])["photos"].to_pylist())
    if not kept:
        raise UserError("no photo is kept by this refinement: its account gives the reasons")
    pairs = list(zip(labels.shards, faces.shards, strict=True))
    groups = [tuple(pairs[i : i + SHARDS_A_SORT]) for i in range(0, len(pairs), SHARDS_A_SORT)]
    placed = build(
        root,
        "placed",
        place_shard,
        groups,
        schema=PLACED,
        params={"who": identities.shards, "order": order, "seed": seed},
        workers=workers,
        unhashed={"root": root},
    )
    count = -(-kept // SAMPLES_A_SHARD)
    return build(
        root,
        "refined",
        refined_shard,
        [(i, count) for i in range(count)],
        schema=schema.REFINED,
        params={"placed": placed.shards, "labels": len(identities) if order == "label" else 1},
        workers=workers,
        unhashed={"root": root},
    )


def place_shard(
    part: Sequence[tuple[Shard, Shard]], *, who: Sequence[Shard], order: str, seed: int, root: str
) -> pa.Table:
    """The kept faces of some shards with their places, sorted by place.

    part: pairs of a shard of labels and a shard of faces. who: the shards of the identities table; this parameter's
    name is part of the table's address and cannot be changed.
    """
    label_of: dict[str, int] = {}
    for shard in who:
        rows = read_shard(root, shard, ["identity", "label"])
        label_of |= dict(zip(rows["identity"].to_pylist(), rows["label"].to_pylist(), strict=True))
    tables = []
    for labels, faces in part:
        labelled = read_shard(root, labels, ["face_id", "key", "identity"])
        jpeg = read_shard(root, faces, ["jpeg"])["jpeg"]
        kept = labelled["identity"].is_valid()
        rows = labelled.append_column("jpeg", jpeg).filter(kept)
        label = [label_of[i] for i in rows["identity"].to_pylist()]
        hashes = [_hash(seed, f) for f in rows["face_id"].to_pylist()]
        first = label if order == "label" else [0] * len(label)
        place = pa.array([f * PLACES_A_LABEL + h for f, h in zip(first, hashes, strict=True)], pa.uint64())
        tables.append(rows.append_column("label", pa.array(label, pa.int64())).append_column("place", place))
    return pa.concat_tables(tables).select(PLACED.names).sort_by([("place", "ascending"), ("face_id", "ascending")])


def _hash(seed: int, face: str) -> int:
    """A hash of 31 bits."""
    return int.from_bytes(blake2b(f"{seed}:{face}".encode(), digest_size=4).digest(), "big") >> 1


def refined_shard(part: tuple[int, int], *, placed: Sequence[Shard], labels: int, root: str) -> pa.Table:
    """One shard of the refined table: the rows whose places lie in its range.

    part: the shard's number and the number of shards. placed: the shards that the first pass sorted. labels: the number
    of labels over which the places extend; 1 for the order "shuffle", in which places do not depend on labels.
    """
    i, count = part
    places = labels * PLACES_A_LABEL
    low, high = i * places // count, (i + 1) * places // count
    tables = [read_range(root, shard, "place", low, high) for shard in placed]
    order = [("place", "ascending"), ("face_id", "ascending")]
    return pa.concat_tables(tables).sort_by(order).select(schema.REFINED.names)
