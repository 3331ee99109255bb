"""The data sets that the refined one is compared with: all photos as claimed, and a random subset of the same size.

A model trained on the refined set may be better than one trained on the claims because the set is cleaner, or because
it is smaller. A random subset of exactly the refined set's size separates the two causes.
"""

from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.tombstones.tombstones import FAILURE
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table, read_shard


def as_claimed(root: str, photos: Table, faces: Table, *, workers: Workers = None) -> Table:
    """A labels table that keeps every photo with a face under its claimed identity: the data before any cleaning."""
    pairs = list(zip(photos.shards, faces.shards, strict=True))
    return build(root, "claims", claims_shard, pairs, schema=schema.LABELS, workers=workers, unhashed={"root": root})


def claims_shard(part: tuple[Shard, Shard], *, root: str) -> pa.Table:
    """One shard of the labels of as_claimed(); part: the shards of its photos and faces."""
    photos = read_shard(root, part[0], ["face_id", "key", "identity"])
    faces = read_shard(root, part[1], ["jpeg", "failure"])
    has_face, is_erased = faces["jpeg"].is_valid(), pc.equal(faces["failure"], FAILURE).fill_null(False)
    missing = pc.if_else(photos["identity"].is_valid(), "no_face", "unnamed")
    missing = pc.if_else(is_erased, "erased", missing)
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
    """A labels table that keeps exactly `keep` photos of the claims, drawn at random.

    claims: the labels of as_claimed(). The photos that are not drawn get the reason "random".
    Raises UserError when the claims keep fewer photos than that.
    """
    draws = np.concatenate([_draw(rows, seed)[1] for rows in claims.batches(["face_id", "identity"])])
    if keep > len(draws):
        raise UserError(
            f"{keep} photos cannot be drawn from {len(draws)}: the refined set has more photos than claims with a face"
        )
    limit = int(np.partition(draws, keep - 1)[keep - 1]) if keep else -1
    return build(
        root,
        "random",
        random_shard,
        claims.shards,
        schema=schema.LABELS,
        params={"limit": limit, "seed": seed},
        workers=workers,
        unhashed={"root": root},
    )


def random_shard(part: Shard, *, limit: int, seed: int, root: str) -> pa.Table:
    """One shard of the claims, with the photos removed whose number in the draw is above the limit."""
    rows = read_shard(root, part)
    kept, draws = _draw(rows, seed)
    removed = np.zeros(len(rows), bool)
    removed[kept[draws > limit]] = True
    mask = pa.array(removed)
    identity, reason = pc.if_else(mask, None, rows["identity"]), pc.if_else(mask, "random", rows["reason"])
    at_identity, at_reason = rows.schema.get_field_index("identity"), rows.schema.get_field_index("reason")
    rows = rows.set_column(at_identity, "identity", identity)
    return rows.set_column(at_reason, "reason", reason).cast(schema.LABELS)


def _draw(rows: pa.Table, seed: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The rows of kept photos, and a random number of 62 bits for each; it depends on the seed and the face alone."""
    kept = np.flatnonzero(rows["identity"].is_valid())
    ids = rows["face_id"].take(pa.array(kept)).to_pylist()
    raw = b"".join(blake2b(f"{seed}:{face}".encode(), digest_size=8).digest() for face in ids)
    return kept, (np.frombuffer(raw, ">u8") >> 2).astype(np.int64)
