"""The photos that a round of self-training trains on: those that look like most photos of their claimed identity.

A network that trained on few updates has learnt what most photos of an identity have in common. So a photo whose
embedding is far from the centre of its identity probably shows somebody else. Left out of the next training it cannot
be learnt by heart. Only the choice of training photos is made here; the pipeline decides what is kept in the end.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.tables.build import Workers, build
from pipeline.tables.columns import runs, vectors
from pipeline.tables.table import Shard, Table, read_shard

# On a drawn world (seed 7) any share from 0.5 to 0.7 gives nearly the same: 0.6 was best, and leaves out few photos of
# data without noise (results/self_training.md)
MIN_SHARE = 0.6  # of the median cosine of all photos to their centre
TRIMMED = 0.4  # share of an identity's photos that are left out of its centre, the least similar ones
ROUNDS = 2  # in which the centre is computed again without them


def typical_photos(root: str, claims: Table, embeddings: Table, *, workers: Workers = None) -> Table:
    """A labels table that keeps those photos of the claims that are near the centre of their identity.

    claims: the labels of as_claimed(); embeddings: of the same photos. A photo is kept if its cosine to the centre is
    at least MIN_SHARE of the median of all photos' cosines. The others get the reason "outlier".
    """
    parts = list(zip(claims.shards, embeddings.shards, strict=True))
    cosines = np.concatenate([_cosines(root, part)[1] for part in parts])
    least = float(MIN_SHARE * np.median(cosines)) if len(cosines) else 0.0
    return build(
        root,
        "typical",
        typical_shard,
        parts,
        schema=schema.LABELS,
        params={"least": least},
        workers=workers,
        unhashed={"root": root},
    )


def typical_shard(part: tuple[Shard, Shard], *, least: float, root: str) -> pa.Table:
    """One shard of the claims, without the photos whose cosine to the centre of their identity is under `least`."""
    rows = read_shard(root, part[0])
    kept, cosines = _cosines(root, part)
    removed = np.zeros(len(rows), bool)
    removed[kept[cosines < least]] = True
    mask = pa.array(removed)
    for column, value in (("identity", None), ("reason", "outlier")):
        at = rows.schema.get_field_index(column)
        rows = rows.set_column(at, column, pc.if_else(mask, value, rows[column]))
    return rows.cast(schema.LABELS)


def cosines_to_centre(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """The cosine [n] of each photo of an identity to its centre; x [n, d]: unit embeddings.

    The centre is the mean of the photos that are most similar to it (a trimmed mean, in two rounds), so that wrong
    photos do not move it.
    """
    x = np.asarray(x, np.float64)
    centre = x.mean(0)
    for _ in range(ROUNDS):
        cosine = x @ centre
        centre = x[cosine >= np.quantile(cosine, TRIMMED)].mean(0)
    return np.asarray(x @ (centre / max(float(np.linalg.norm(centre)), 1e-12)))


def _cosines(root: str, part: tuple[Shard, Shard]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The rows [n] of a shard's kept photos that have an embedding, and their cosines [n] to their centres."""
    claimed = read_shard(root, part[0], ["identity"])["identity"]
    x, valid = vectors(read_shard(root, part[1], ["x"])["x"])
    rows: list[NDArray[np.intp]] = [np.zeros(0, np.intp)]
    cosines: list[NDArray[np.float64]] = [np.zeros(0)]
    of_identity: dict[str, list[int]] = {}
    for identity, first, end in runs(claimed):
        of_identity.setdefault(identity, []).extend(range(first, end))
    for numbers in of_identity.values():
        with_face = np.array([i for i in numbers if valid[i]], np.intp)
        if len(with_face):
            rows.append(with_face)
            cosines.append(cosines_to_centre(x[with_face]))
    return np.concatenate(rows), np.concatenate(cosines)
