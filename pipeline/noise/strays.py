"""People under a wrong name: whose the faces are that are not their name's person.

A stray group is asked for as a whole: five photos of a co-star find their name when one would not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import centre
from pipeline.noise.findings import findings_table
from pipeline.noise.persons import Persons, about_strangers, comparable, likest, read_persons
from pipeline.noise.score_norm import Calibration, Floats, Seen, fuse, level, pairwise, seen
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import Shard, read_shard

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
    memory_bytes: int | None = None,
) -> pa.Table:
    """Whose the stray faces of one shard are (misplaced); part: the embedders' shards, the clusters' and the persons'.

    persons: all of them; rate: strangers to expect above the likeness of a group, among all persons; alone: share of
    strangers that each face of the group must beat by itself, for a small group may have met by chance. memory_bytes:
    of the blocks of the search.
    """
    embeddings, clusters, here = part
    found = read_calibration(root, calibration)
    gallery = read_persons(root, persons, calibration)
    x, _ = read_vectors(root, embeddings)
    rows = read_shard(root, clusters, ["face_id", "identity", "cluster"])
    face, stray = strays(rows["identity"], rows["cluster"].fill_null(-1).to_numpy(), _persons(root, here, found))
    if not len(face) or not len(gallery.person):
        return schema.FINDINGS.empty_table()
    start = np.flatnonzero(np.append(True, np.diff(stray) > 0))
    size = np.diff(np.append(start, len(stray)))
    centres = [seen(_centres(e[face], start, size), v) for e, v in zip(x, found.views, strict=True)]
    least = level(found.tail, rate / len(gallery.person))
    names = texts(rows["identity"].take(pa.array(face[start])))
    query, best, z = whose(centres, names, gallery, found, least=least, memory_bytes=memory_bytes)
    each = np.repeat(np.arange(len(query)), size[query])
    at = np.concatenate([np.empty(0, np.int64), *(np.arange(start[q], start[q] + size[q]) for q in query)])
    mine, other = face[at], best[each]
    views = [seen(e[mine], v) for e, v in zip(x, found.views, strict=True)]
    own = fuse(pairwise(views, np.arange(len(mine)), gallery.centres, other), found.weights) >= level(found.tail, alone)
    mine, each, other = mine[own], each[own], other[own]
    words = [
        f"likeness {z[0][k]:.1f}" + (f" of a group of {size[query[k]]}" if size[query[k]] > 1 else "") for k in each
    ]
    return findings_table(
        "misplaced", texts(rows["face_id"].take(pa.array(mine))), gallery.person[other], [c[each] for c in z], words
    )


def _centres(x: NDArray[Any], start: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.float64]:
    """The robust centre of each stray group of faces x [n, d], which lie together; of a single face itself."""
    one = np.asarray(x[start], np.float64)
    one /= np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-9)
    for row in np.flatnonzero(size > 1).tolist():
        one[row] = centre(x[start[row] : start[row] + size[row]])
    return one


def whose(
    centres: Sequence[Seen],
    names: NDArray[np.object_],
    gallery: Persons,
    found: Calibration,
    *,
    least: float,
    memory_bytes: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Floats]]:
    """For the stray groups that are like a person of another name: group, person, and each embedder's likeness.

    centres: of the groups [n], as each embedder sees them; names [n]: under which name a group strayed.
    """
    about = [about_strangers(c.x, v) for c, v in zip(centres, found.views, strict=True)]
    i, j = likest(about, gallery.around, k=NEAREST, memory_bytes=memory_bytes)
    other = gallery.identity[j] != names[i]
    i, j = i[other], j[other]
    z = pairwise(centres, i, gallery.centres, j)
    total = fuse(z, found.weights)
    order = np.lexsort((j, -total, i))
    first = order[np.append(True, np.diff(i[order]) > 0)] if len(order) else order
    first = first[total[first] >= least]
    return i[first], j[first], [c[first] for c in z]


def stray_groups(root: str, clusters: Shard, persons: Shard, model: Shard) -> int:
    """How many stray groups one shard has; model: the shard of the calibration."""
    rows = read_shard(root, clusters, ["identity", "cluster"])
    sure = _persons(root, persons, read_calibration(root, model))
    _, group = strays(rows["identity"], rows["cluster"].fill_null(-1).to_numpy(), sure)
    return int(group.max(initial=-1)) + 1


def strays(
    identity: pa.ChunkedArray, group: NDArray[Any], persons: pa.Table
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The faces that are of no person of their name, by row, and the number of the stray group that each is of.

    group [n]: of each face under its name, -1 for none; persons: identity and cluster. The faces of a group lie
    together; those of one of fewer than TOGETHER faces may have met by chance, and each is a group of its own.
    """
    names = identity.combine_chunks().dictionary_encode()
    code = names.indices.fill_null(-1).to_numpy()
    many = int(group.max(initial=0)) + 1
    of_person = pc.index_in(persons["identity"], value_set=names.dictionary).fill_null(-1).to_numpy()
    key = code.astype(np.int64) * many + group
    stray = (
        (code >= 0) & (group >= 0) & ~np.isin(key, of_person.astype(np.int64) * many + persons["cluster"].to_numpy())
    )
    face = np.flatnonzero(stray)
    face = face[np.argsort(key[face], kind="stable")]
    _, inverse, size = np.unique(key[face], return_inverse=True, return_counts=True)
    alone = (size < TOGETHER)[inverse]
    begins = np.append(True, np.diff(inverse) > 0)[: len(face)] | alone
    return face, np.cumsum(begins) - 1


def _persons(root: str, shard: Shard, found: Calibration) -> pa.Table:
    """Name and group of each person; the faces of a doubtful one may be anybody's."""
    rows = read_shard(root, shard, ["identity", "cluster", "size", "of", "cohesion", "cohesion_second"])
    return rows.filter(pa.array(comparable(rows, found)))
