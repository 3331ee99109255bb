"""People of a test set: who must not be trained on, or the test would measure memory.

A person is compared with every person of the test sets and with every single test photo.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import centre
from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.persons import Persons, about_strangers, likest, one_person, read_persons
from pipeline.noise.score_norm import Calibration, Floats, Seen, fuse, level, on_average, pairwise, seen, some, usual
from pipeline.noise.search.neighbours import Index, indexed
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import Shard, read_shard

NEAREST = 3  # test entries that a person is compared with


def relation_shard(
    part: tuple[int, Sequence[Shard], tuple[Sequence[Shard], ...]],
    *,
    root: str,
    calibration: Shard,
    merge: float,
    overlap: float,
    odd_pairs: float,
    odd_photo: float,
    memory_bytes: int | None = None,
) -> pa.Table:
    """Which persons of one shard may be another (merge), and which are in a test set (overlap).

    part: the number of the shard, all shards of persons, and each embedder's embeddings of the test sets (no shards:
    no test set). merge and overlap: strangers to expect above the likeness of two centres, among all that a person is
    compared with; odd_pairs and odd_photo: the photos behind them must on average be as alike as all but this share of
    the pairs of one person. memory_bytes: of the blocks of the searches.
    """
    number, shards, tests = part
    found, persons = read_calibration(root, calibration), read_persons(root, shards, calibration)
    mine = np.flatnonzero(persons.shard == number)
    made = [_merges(persons, mine, found, rate=merge, least=usual(found, odd_pairs), memory_bytes=memory_bytes)]
    if any(tests):
        gallery = read_tests(root, tuple(map(tuple, tests)), calibration)
        least = usual(found, odd_photo)
        made.append(_overlaps(persons, mine, gallery, found, rate=overlap, least=least, memory_bytes=memory_bytes))
    return combine_findings(made)


def _merges(
    persons: Persons,
    mine: NDArray[np.int64],
    found: Calibration,
    *,
    rate: float,
    least: float,
    memory_bytes: int | None,
) -> pa.Table:
    i, j, z = one_person(persons, mine, memory_bytes=memory_bytes)
    rows, at = np.unique(np.concatenate([i, j]), return_inverse=True)
    means, (one, two) = persons.means(rows), np.split(at, 2)
    pairs = on_average(means, one, means, two, found)
    keep = (fuse(z, found.weights) >= level(found.tail, rate / max(1, len(persons.person)))) & (pairs >= least)
    keep &= persons.identity[i] != persons.identity[j]
    i, j, z, pairs = i[keep], j[keep], [c[keep] for c in z], pairs[keep]
    swap = persons.person[i] > persons.person[j]
    i, j = np.where(swap, j, i), np.where(swap, i, j)
    words = [
        f"likeness {a:.1f}, photo to photo {p:.1f}; {m} and {n} faces"
        for a, p, m, n in zip(z[0], pairs, persons.size[i], persons.size[j], strict=True)
    ]
    return findings_table("merge", persons.person[i], persons.person[j], z, words)


class Gallery(NamedTuple):
    """What persons are compared with: single photos, then people of several; for each embedder centres as seen."""

    names: NDArray[np.object_]
    centres: list[Seen]
    around: list[Index]  # the centres about the mean of strangers
    several: Sequence[NDArray[np.float32]]  # for each embedder the means of the people's photos, no unit vectors

    def means(self, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """For each embedder the means [n, d] of the photos behind some rows [n]: a single photo is its own."""
        found = []
        for centres, several in zip(self.centres, self.several, strict=True):
            x, first = centres.x[rows], len(self.names) - len(several)
            x[rows >= first] = several[rows[rows >= first] - first]
            found.append(x)
        return found


def _overlaps(
    persons: Persons,
    mine: NDArray[np.int64],
    tests: Gallery,
    found: Calibration,
    *,
    rate: float,
    least: float,
    memory_bytes: int | None,
) -> pa.Table:
    i, j, z = in_tests([some(c, mine) for c in persons.centres], tests, found, memory_bytes=memory_bytes)
    rows, at = np.unique(j, return_inverse=True)
    pairs = on_average(persons.means(mine), i, tests.means(rows), at, found)
    i = mine[i]
    keep = (fuse(z, found.weights) >= level(found.tail, rate / max(1, len(tests.names)))) & (pairs >= least)
    i, j, z, pairs = i[keep], j[keep], [c[keep] for c in z], pairs[keep]
    words = [f"likeness {a:.1f}, photo to photo {p:.1f}" for a, p in zip(z[0], pairs, strict=True)]
    return findings_table("overlap", persons.person[i], tests.names[j], z, words)


def in_tests(
    centres: Sequence[Seen], tests: Gallery | Persons, found: Calibration, *, memory_bytes: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Floats]]:
    """For each person its likest test entry: rows of both, and each embedder's likeness.

    centres: of persons, as each embedder sees them; memory_bytes: of the blocks of the search.
    """
    about = [about_strangers(c.x, v) for c, v in zip(centres, found.views, strict=True)]
    i, j = likest(about, tests.around, k=NEAREST, memory_bytes=memory_bytes)
    z = pairwise(centres, i, tests.centres, j)
    order = np.lexsort((j, -fuse(z, found.weights), i))
    first = order[np.append(True, np.diff(i[order]) > 0)] if len(order) else order
    return i[first], j[first], [c[first] for c in z]


@lru_cache(maxsize=1)
def read_tests(root: str, tests: tuple[tuple[Shard, ...], ...], model: Shard) -> Gallery:
    """Everything of the test sets to compare with; tests: for each embedder all shards of embeddings.

    model: the shard of the calibration. A process keeps the last ones it read: every shard of a stage asks for them.

    Every photo, by its face_id where it has no name, and every named person's centre when there are several photos.
    """
    rows: list[list[NDArray[Any]]] = [[] for _ in tests]
    names: list[str] = []
    for shards in zip(*tests, strict=True):
        x, there = read_vectors(root, shards)
        who = read_shard(root, shards[0], ["face_id", "identity"])
        called = [i or f for f, i in zip(texts(who["face_id"]), texts(who["identity"]), strict=True)]
        names += np.array(called, object)[there].tolist()
        for e, found in enumerate(x):
            rows[e].append(found[there].astype(np.float32))
    photos = [np.concatenate(rows.pop(0)) for _ in tests]
    several, inverse, count = np.unique(np.array(names, str), return_inverse=True, return_counts=True)
    of = [np.flatnonzero(inverse == g) for g in np.flatnonzero(count > 1)]
    middle = [np.array([centre(e[at]) for at in of], np.float32).reshape(len(of), e.shape[1]) for e in photos]
    mean = [np.array([e[at].mean(0) for at in of], np.float32).reshape(len(of), e.shape[1]) for e in photos]
    views = read_calibration(root, model).views
    centres = [seen(np.concatenate(both), v) for *both, v in zip(photos, middle, views, strict=True)]
    del photos  # a million of them are 2 GB, and the centres hold them too
    around = [indexed(about_strangers(c.x, v)) for c, v in zip(centres, views, strict=True)]
    return Gallery(np.array([*names, *several[count > 1].tolist()], object), centres, around, mean)
