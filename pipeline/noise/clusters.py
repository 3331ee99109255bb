"""Who is together within one name: average linkage, then everyone to the nearest robust centre.

Average linkage asks of two groups how alike they are on the whole, so one lookalike photo does not chain two people
together. How alike is enough follows from the number of pairs: a name of 100 photos has 4,950 chances to be wrong.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage

from pipeline.noise.calibration import read_calibration
from pipeline.noise.copies import against, as_seen
from pipeline.noise.score_norm import (
    Calibration,
    Floats,
    Seen,
    View,
    doubled,
    level,
    likeness,
    middle,
    some,
    to_others,
    together,
)
from pipeline.tables.columns import read_vectors, runs
from pipeline.tables.table import Shard, read_shard

LINK = 0.1  # false links to expect in a name, spread over its pairs: the link a pair of photos needs is a FAR of 0.1
JOIN = 3e-3  # share of strangers that a face must beat to come to a centre; also what an outlier is not
ABSORB = 3e-4  # the same for a whole group: it may be a second person, so it must be much less like a stranger
LARGEST = 1000  # faces of a name that are linked pair by pair, about a second; further ones join the nearest group
MANY = 50  # faces of a person of which one no longer moves the centre
ROUND = 1e-9  # what the arithmetic of a tree may lose
Labels = NDArray[np.signedinteger[Any]]
CLUSTERS = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("cluster", pa.int32()),  # 0 is the person
        ("core", pa.float32()),  # likeness to the centre of the person's other faces, first embedder
        ("second", pa.float32()),  # the same, second embedder
    ]
)


def cluster_shard(
    part: tuple[tuple[Shard, ...], Shard], *, root: str, calibration: Shard, link: float, join: float, absorb: float
) -> pa.Table:
    """The clusters of one shard; part: the embedders' shards, and the copies' shard. A copy has no vote: it goes where
    its original goes."""
    embeddings, copies = part
    found = read_calibration(root, calibration)
    x, there = read_vectors(root, embeddings)
    rows = read_shard(root, copies, ["face_id", "identity", "copy_of", *against(len(x))])
    views = as_seen(x, rows)
    original = pc.index_in(rows["copy_of"], value_set=rows["face_id"].combine_chunks(), skip_nulls=True)
    copied = np.asarray(original.is_valid())
    original = np.where(copied, original.fill_null(0).to_numpy(), np.arange(len(there)))
    groups, core = np.full(len(there), -1, np.int64), np.full((len(x), len(there)), np.nan)
    for _, start, end in runs(rows["identity"]):
        faces = start + np.flatnonzero(there[start:end])
        votes = ~copied[faces]
        if votes.any():
            name = [doubled(some(v, faces)) for v in views]
            voters = name if votes.all() else [some(v, votes) for v in name]
            groups[faces[votes]] = cluster(voters, found, link=link, join=join, absorb=absorb)
            groups[faces] = groups[original[faces]]
            core[:, faces] = to_centre(name, (groups[faces] == 0) & votes, found)
    cores = [pa.array(c, pa.float32(), from_pandas=True) for c in core]
    cores += [pa.nulls(len(there), pa.float32())] * (2 - len(cores))
    number = pa.array(groups, pa.int32(), mask=groups < 0)
    return pa.table([rows["face_id"], rows["identity"], number, *cores], schema=CLUSTERS)


def cluster(
    faces: Sequence[Seen],
    calibration: Calibration,
    *,
    link: float = LINK,
    join: float = JOIN,
    absorb: float = ABSORB,
) -> Labels:
    """The group [n] of each face of one name; 0 is the person, further groups follow by size, then by cohesion.

    faces: as each embedder sees them. link: false links to expect in the name, spread over its pairs; join and
    absorb: the share of strangers that a single face, or a whole group, must beat to come to a centre afterwards.
    """
    n = len(faces[0].mean)
    few = np.arange(n) if n <= LARGEST else np.unique(np.linspace(0, n - 1, LARGEST).astype(int))
    tail = calibration.tail
    linked = faces if n == len(few) else [some(f, few) for f in faces]
    pairs = together(linked, linked, calibration)
    labels: Labels = np.full(n, -1, np.int64)
    labels[few] = average_linkage(pairs, level(tail, link / max(len(few) * (len(few) - 1) / 2, 1)))
    if n == len(few):
        labels = _by_cohesion(labels, pairs)
    labels = ranked(labels)
    for _ in range(2):
        before, labels = labels, _join(faces, labels, calibration, level(tail, join), level(tail, absorb))
        if np.array_equal(before, labels):
            break
    return labels


def average_linkage(pairs: Floats, least: float) -> Labels:
    """Groups [n] of n things whose likenesses are pairs [n, n]: the two most alike groups unite while they reach least.

    The likeness of two groups is the mean over their pairs (UPGMA, Sokal and Michener 1958). A group is named by its
    lowest member.
    """
    n = len(pairs)
    if n < 2:
        return np.zeros(n, np.int64)
    apart = pairs[~np.tri(n, dtype=bool)]
    top = apart.max()
    tree = linkage(top - apart, "average")  # distances that average as the likenesses do
    united = np.flatnonzero(tree[:, 2] <= top - least + ROUND)
    up: Labels = np.arange(2 * n - 1)
    up[tree[united, :2].astype(np.int64)] = n + united[:, None]  # who united, to what came of them
    while not np.array_equal(up, up[up]):
        up = up[up]
    lowest = np.empty(2 * n - 1, np.int64)
    lowest[up[n - 1 :: -1]] = np.arange(n - 1, -1, -1)  # of several that are written to one place the last one stays
    return np.asarray(lowest[up[:n]], np.int64)


def inner(x: NDArray[Any], *, rounds: int = 2, trim: float = 0.2) -> NDArray[np.bool_]:
    """Which unit rows x [n, d] make the robust centre: twice, all but those farthest from the mean of the former."""
    keep = np.ones(len(x), bool)
    for _ in range(rounds if len(x) >= 5 else 0):
        order = np.argsort(-np.round(x @ (keep.astype(np.float64) @ x / keep.sum()), 9), kind="stable")
        keep = np.zeros(len(x), bool)
        keep[order[: max(3, int(np.ceil(len(x) * (1 - trim))))]] = True
    return keep


def centre(x: NDArray[Any]) -> Floats:
    """The robust centre [d] of unit rows x [n, d], a unit vector."""
    mean = np.asarray(x[inner(x)], np.float64).mean(0)
    return np.asarray(mean / max(np.linalg.norm(mean), 1e-9))


def centres(faces: Seen, members: Sequence[NDArray[np.bool_]], view: View) -> Seen:
    """The robust centres of several groups, as seen; members: for each group which faces [n] are in it."""
    weights = np.zeros((len(members), len(faces.x)))
    for row, member in zip(weights, members, strict=True):
        row[np.flatnonzero(member)[inner(faces.x[member])]] = 1
    return middle(faces, weights, view)


def to_centre(faces: Sequence[Seen], member: NDArray[np.bool_], calibration: Calibration) -> list[Floats]:
    """How alike each face [n] is to the centre of the members, one array for each embedder.

    A member is compared with the mean of the others, so that it does not vouch for itself; the only member of a group
    has nobody to be like and gets nan.
    """
    return [_to_centre(f, member, v) for f, v in zip(faces, calibration.views, strict=True)]


def _to_centre(faces: Seen, member: NDArray[np.bool_], view: View) -> Floats:
    z = likeness(faces, centres(faces, [member], view))[:, 0]
    count = int(member.sum())
    if count == 1:
        z[member] = np.nan
    elif count < MANY:
        z[member] = to_others(some(faces, member), view)
    return z


def _join(faces: Sequence[Seen], labels: Labels, calibration: Calibration, face: float, group: float) -> Labels:
    """Groups that reach `group` unite with the person, single faces that reach `face` come to the likest group."""
    sizes = np.bincount(labels)
    groups = np.flatnonzero(sizes > 1)
    if not len(groups):
        return labels
    members = [labels == g for g in groups]
    middles = [centres(f, members, v) for f, v in zip(faces, calibration.views, strict=True)]
    between = together([some(m, np.array([0])) for m in middles], middles, calibration)[0]
    person = np.zeros(len(sizes), bool)
    person[groups[between >= group]] = True
    labels = np.where(person[labels], 0, labels)
    single = np.flatnonzero(sizes[labels] == 1)
    if not len(single):
        return ranked(labels)
    to = together([some(f, single) for f in faces], middles, calibration)
    best, high = to.argmax(1), to.max(1)
    joins = high >= face
    labels[single[joins]] = np.where(between[best] >= group, 0, groups[best])[joins]
    return ranked(labels)


def ranked(labels: Labels) -> Labels:
    """Groups named 0, 1, ... by falling size, then by their own number; faces in no group (-1) are groups of one."""
    labels = np.where(labels < 0, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)
    return _renamed(labels, np.bincount(labels))


def _by_cohesion(labels: Labels, pairs: Floats) -> Labels:
    """The same groups, numbered so that the more cohesive of two comes first."""
    size = np.bincount(labels)
    mine = np.einsum("ij,ij->i", pairs, labels[:, None] == labels[None]) - np.diag(pairs)
    mean = np.round(np.bincount(labels, mine) / np.maximum(size * (size - 1), 1), 6)
    return _renamed(labels, np.where(size > 0, mean, -np.inf))


def _renamed(labels: Labels, worth: NDArray[Any]) -> Labels:
    """The same groups, named 0, 1, ... by falling worth [largest label + 1], then by their own number.

    Counting is several times as fast as np.unique on the few faces of a name, and so is a table as np.isin.
    """
    rank = np.empty(len(worth), np.int64)
    rank[np.argsort(-worth, kind="stable")] = np.arange(len(worth))
    return rank[labels]
