"""The data sets that a refined one is compared with: the photos as claimed, and a random subset of its size.

A model trained on the refined set may be better than one trained on the claims because the set is cleaner, or only
because it is smaller. A random subset of exactly the same size tells the two apart.
"""

from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.errors import UserError
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table, read_shard


def as_claimed(root: str, photos: Table, faces: Table, *, workers: Workers = None) -> Table:
    """Labels that keep every photo with a face under its claimed identity: the data set before any cleaning."""
    pairs = list(zip(photos.shards, faces.shards, strict=True))
    return build(root, "claims", claims_shard, pairs, schema=schema.LABELS, workers=workers, unnamed={"root": root})


def claims_shard(part: tuple[Shard, Shard], *, root: str) -> pa.Table:
    """One shard of such labels; part: the shards of its photos and faces."""
    photos = read_shard(root, part[0], ["face_id", "key", "identity"])
    has_face = read_shard(root, part[1], ["jpeg"])["jpeg"].is_valid()
    missing = pc.if_else(photos["identity"].is_valid(), "no_face", "unnamed")
    n = len(photos)
    columns = [
        photos["face_id"],
        photos["key"],
        photos["identity"],
        pc.if_else(has_face, photos["identity"], None),
        pc.if_else(pc.and_(has_face, photos["identity"].is_valid()), "", missing),
        pa.nulls(n, pa.float32()),
        pa.nulls(n, pa.string()),
    ]
    return pa.table(columns, schema=schema.LABELS)


def random_subset(root: str, claims: Table, *, keep: int, seed: int, workers: Workers = None) -> Table:
    """Labels that keep exactly `keep` of the claims' photos, drawn by the seed; the others have the reason "random".

    Raises UserError when fewer photos than that have an identity and a face.
    """
    draws = np.concatenate([_draw(rows, seed)[1] for rows in claims.batches(["face_id", "identity"])])
    if keep > len(draws):
        raise UserError(f"{keep} photos cannot be left of {len(draws)}: the refined set is larger than the claims")
    limit = int(np.partition(draws, keep - 1)[keep - 1]) if keep else -1
    return build(
        root,
        "random",
        random_shard,
        claims.shards,
        schema=schema.LABELS,
        params={"limit": limit, "seed": seed},
        workers=workers,
        unnamed={"root": root},
    )


def random_shard(part: Shard, *, limit: int, seed: int, root: str) -> pa.Table:
    """One shard of claims without the photos whose draw is above the limit."""
    rows = read_shard(root, part)
    at, draws = _draw(rows, seed)
    removed = np.zeros(len(rows), bool)
    removed[at[draws > limit]] = True
    mask = pa.array(removed)
    identity, reason = pc.if_else(mask, None, rows["identity"]), pc.if_else(mask, "random", rows["reason"])
    at_identity, at_reason = rows.schema.get_field_index("identity"), rows.schema.get_field_index("reason")
    rows = rows.set_column(at_identity, "identity", identity)
    return rows.set_column(at_reason, "reason", reason).cast(schema.LABELS)


def _draw(rows: pa.Table, seed: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The rows that have an identity, and for each a number of 62 bits that depends on seed and face alone."""
    at = np.flatnonzero(rows["identity"].is_valid())
    ids = rows["face_id"].take(pa.array(at)).to_pylist()
    raw = b"".join(blake2b(f"{seed}:{face}".encode(), digest_size=8).digest() for face in ids)
    return at, (np.frombuffer(raw, ">u8") >> 2).astype(np.int64)
