"""People of a test set: who must not be trained on, or the test would measure memory.

A person is compared with every person of the test sets and with every single test photo.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import centre
from pipeline.noise.columns import texts, views_of
from pipeline.noise.findings import findings, gathered
from pipeline.noise.identities import Persons, likest, one_person, read_persons
from pipeline.noise.likeness import Calibration, Floats, fuse, level, pairwise
from pipeline.table import Shard, read_shard

NEAREST = 3  # test entries that a person is compared with


def relation_shard(
    part: tuple[Sequence[Shard], tuple[Sequence[Shard], ...]],
    *,
    root: str,
    calibration: Shard,
    merge: float,
    overlap: float,
) -> pa.Table:
    """Which persons may be one (merge), and which are in a test set (overlap).

    part: the persons, and each embedder's embeddings of the test sets (no shards: no test set). merge and overlap:
    strangers to expect above the likeness of a finding, among all that a person is compared with.
    """
    found = read_calibration(root, calibration)
    persons, tests = read_persons(root, part[0], found), part[1]
    made = [_merges(persons, found, merge)]
    if any(tests):
        x, names = read_tests(root, tests)
        made.append(_overlaps(persons, x, names, found, overlap))
    return gathered(made)


def _merges(persons: Persons, found: Calibration, rate: float) -> pa.Table:
    i, j, z = one_person(persons, found)
    keep = fuse(z, found.weights) >= level(found.tail, rate / max(1, len(persons.person)))
    keep &= persons.identity[i] != persons.identity[j]
    i, j, z = i[keep], j[keep], [c[keep] for c in z]
    swap = persons.person[i] > persons.person[j]
    i, j = np.where(swap, j, i), np.where(swap, i, j)
    words = [f"likeness {a:.1f}; {m} and {n} faces"
             for a, m, n in zip(z[0], persons.size[i], persons.size[j], strict=True)]  # fmt: skip
    return findings("merge", persons.person[i], persons.person[j], z, words)


def _overlaps(
    persons: Persons, x: Sequence[NDArray[Any]], names: NDArray[np.object_], found: Calibration, rate: float
) -> pa.Table:
    i, j, z = in_tests(persons.centres, x, found)
    keep = fuse(z, found.weights) >= level(found.tail, rate / max(1, len(names)))
    i, j, z = i[keep], j[keep], [c[keep] for c in z]
    words = [f"likeness {a:.1f}" for a in z[0]]
    return findings("overlap", persons.person[i], names[j], z, words)


def in_tests(
    centres: Sequence[NDArray[Any]], tests: Sequence[NDArray[Any]], found: Calibration
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Floats]]:
    """For each person its likest test entry: rows of both, and each embedder's likeness.

    centres and tests: for each embedder [n, d] and [m, d] unit rows.
    """
    i, j = likest(centres, tests, found, k=NEAREST)
    z = pairwise(centres, i, tests, j, found)
    order = np.lexsort((j, -fuse(z, found.weights), i))
    first = order[np.append(True, np.diff(i[order]) > 0)] if len(order) else order
    return i[first], j[first], [c[first] for c in z]


def read_tests(root: str, tests: tuple[Sequence[Shard], ...]) -> tuple[list[NDArray[np.float32]], NDArray[np.object_]]:
    """Everything of the test sets to compare with, for each embedder [m, d], and what it is called [m].

    Every photo, by its face_id where it has no name, and every named person's centre when there are several photos.
    """
    rows: list[list[NDArray[Any]]] = [[] for _ in tests]
    names: list[str] = []
    for shards in zip(*tests, strict=True):
        x, there = views_of(root, shards)
        who = read_shard(root, shards[0], ["face_id", "identity"])
        called = np.array([i if i is not None else f for f, i in zip(texts(who["face_id"]), texts(who["identity"]),
                                                                     strict=True)], object)  # fmt: skip
        names += called[there].tolist()
        for e, found in enumerate(x):
            rows[e].append(found[there].astype(np.float32))
    x = [np.concatenate(r) for r in rows]
    called = np.array(names, object)
    several, inverse, count = np.unique(called.astype(str), return_inverse=True, return_counts=True)
    middles = [np.flatnonzero(inverse == g) for g in np.flatnonzero(count > 1)]
    x = [np.concatenate([e, *(centre(e[at]).astype(np.float32)[None] for at in middles)]) for e in x]
    return x, np.concatenate([called, several[count > 1].astype(object)])
