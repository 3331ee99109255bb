"""People under a wrong name: whose the faces are that are not their name's person.

A stray group is asked for as a whole: five photos of a co-star find their name when one would not.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema
from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import centre
from pipeline.noise.columns import runs, texts, views_of
from pipeline.noise.findings import findings
from pipeline.noise.identities import Persons, comparable, likest, read_persons
from pipeline.noise.likeness import Calibration, Floats, fuse, level, pairwise
from pipeline.table import Shard, read_shard

NEAREST = 5  # persons that a stray group is compared with
TOGETHER = 3  # faces of a stray group that are asked for as one: two may have met by chance
ALONE = 1e-3  # share of strangers that each face of a stray group must beat by itself


def stray_shard(
    part: tuple[tuple[Shard, ...], Shard, Shard],
    *,
    root: str,
    calibration: Shard,
    persons: Sequence[Shard],
    rate: float,
    alone: float,
) -> pa.Table:
    """Whose the stray faces of one shard are (misplaced); part: the embedders' shards, the clusters' and the persons'.

    persons: all of them; rate: strangers to expect above the likeness of a group, among all persons; alone: share of
    strangers that each face of the group must beat by itself, for a small group may have met by chance.
    """
    embeddings, clusters, here = part
    found = read_calibration(root, calibration)
    gallery = read_persons(root, persons, found)
    x, _ = views_of(root, embeddings)
    rows = read_shard(root, clusters, ["face_id", "identity", "cluster"])
    group = rows["cluster"].fill_null(-1).to_numpy()
    strays = list(_strays(rows["identity"], group, _persons(root, here, found)))
    if not strays or not len(gallery.person):
        return schema.FINDINGS.empty_table()
    centres = [np.stack([centre(e[at]) for _, at in strays]) for e in x]
    names = np.array([name for name, _ in strays], object)
    least = level(found.tail, rate / len(gallery.person))
    query, best, z = whose(centres, names, gallery, found, least=least)
    size = np.array([len(at) for _, at in strays])[query]
    face = np.concatenate([strays[q][1] for q in query]) if len(query) else np.empty(0, np.int64)
    each = np.repeat(np.arange(len(query)), size)
    own = fuse(pairwise(x, face, gallery.centres, best[each], found), found.weights) >= level(found.tail, alone)
    face, each = face[own], each[own]
    words = [f"likeness {z[0][k]:.1f}" + (f" of a group of {size[k]}" if size[k] > 1 else "") for k in each]
    return findings("misplaced", texts(rows["face_id"])[face], gallery.person[best[each]], [c[each] for c in z], words)


def whose(
    centres: Sequence[NDArray[Any]], names: NDArray[np.object_], gallery: Persons, found: Calibration, *, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Floats]]:
    """For the stray groups that are like a person of another name: group, person, and each embedder's likeness.

    centres: for each embedder [n, d]; names [n]: under which name a group strayed.
    """
    i, j = likest(centres, gallery.centres, found, k=NEAREST)
    other = gallery.identity[j] != names[i]
    i, j = i[other], j[other]
    z = pairwise(centres, i, gallery.centres, j, found)
    total = fuse(z, found.weights)
    order = np.lexsort((j, -total, i))
    first = order[np.append(True, np.diff(i[order]) > 0)] if len(order) else order
    first = first[total[first] >= least]
    return i[first], j[first], [c[first] for c in z]


def _strays(
    identity: pa.ChunkedArray, group: NDArray[Any], persons: set[tuple[str, int]]
) -> Iterator[tuple[str, NDArray[np.signedinteger[Any]]]]:
    """Name and rows of each group that is no person of its name; face by face where a group may be chance."""
    for name, start, end in runs(identity):
        inside = group[start:end]
        for g in range(inside.max(initial=-1) + 1):
            at = start + np.flatnonzero(inside == g)
            if (name, g) not in persons:
                yield from ((name, some) for some in ([at] if len(at) >= TOGETHER else at[:, None]))


def _persons(root: str, shard: Shard, found: Calibration) -> set[tuple[str, int]]:
    """Name and group of each person; the faces of a doubtful one may be anybody's."""
    rows = read_shard(root, shard, ["identity", "cluster", "size", "of", "cohesion", "cohesion_second"])
    sure = rows.filter(pa.array(comparable(rows, found)))
    return set(zip(sure["identity"].to_pylist(), sure["cluster"].to_pylist(), strict=True))
