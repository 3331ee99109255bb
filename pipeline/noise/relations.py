"""The relations table: persons that may be one human being (merge), and persons of a test set (overlap).

Who is in a test set must not be trained on, or the test would measure memory. A person is compared with every person of
the test sets and with every single test photo.
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
from pipeline.noise.person_gallery import PersonGallery, read_persons, similar_persons
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, genuine_quantile, mean_photo_scores
from pipeline.noise.scores.score_norm import FaceVectors, impostor_stats, take
from pipeline.noise.search.candidates import Gallery, Rows, best_matches, without_impostor_mean
from pipeline.noise.search.neighbours import Index, build_index
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import Shard, read_shard

NEAREST = 3  # test entries that a person is compared with


class RelationRule(NamedTuple):
    """When two are reported as one: their centres reach the threshold for a FAR, and their photos score on average
    at least min_photo_score with each other."""

    far: float
    min_photo_score: float


class TestGallery(NamedTuple):
    """The entries of all test sets: single photos, then people of several; for each embedder their centres."""

    names: NDArray[np.object_]
    centres: list[FaceVectors]
    indexes: list[Index]
    several: Sequence[NDArray[np.float32]]  # for each embedder the means of the people's photos, no unit vectors

    def means(self, rows: Rows) -> list[NDArray[np.float32]]:
        """For each embedder the means [n, d] of the photos behind some rows [n]: a single photo is its own mean."""
        means = []
        for centres, several in zip(self.centres, self.several, strict=True):
            x, first = centres.x[rows], len(self.names) - len(several)
            x[rows >= first] = several[rows[rows >= first] - first]
            means.append(x)
        return means


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
    """Merges and overlaps of the persons of one shard.

    part: the number of the shard, all shards of persons, and each embedder's embeddings of the test sets (no shards:
    no test set). merge and overlap: false alarms to expect among all that a person is compared with; odd_pairs and
    odd_photo: the photos must on average score as high as all but this share of the genuine pairs. memory_bytes: of the
    blocks of the searches.
    """
    number, shards, tests = part
    score_calibration, persons = read_calibration(root, calibration), read_persons(root, shards, calibration)
    rows = np.flatnonzero(persons.shard == number)
    rule = RelationRule(merge / max(1, len(persons.person)), genuine_quantile(score_calibration, odd_pairs))
    tables = [_merges(persons, rows, score_calibration, rule, memory_bytes)]
    if any(tests):
        test_gallery = read_tests(root, tuple(map(tuple, tests)), calibration)
        rule = RelationRule(overlap / max(1, len(test_gallery.names)), genuine_quantile(score_calibration, odd_photo))
        tables.append(_overlaps(persons, rows, test_gallery, score_calibration, rule, memory_bytes=memory_bytes))
    return combine_findings(tables)


def _merges(
    persons: PersonGallery, rows: Rows, calibration: Calibration, rule: RelationRule, memory_bytes: int | None
) -> pa.Table:
    pairs = similar_persons(persons, rows, calibration, memory_bytes=memory_bytes)
    of_pair, at = np.unique(np.concatenate([pairs.query, pairs.row]), return_inverse=True)
    means, (one, two) = persons.means(of_pair), np.split(at, 2)
    photo_scores = mean_photo_scores(means, one, means, two, calibration)
    keep = pairs.fused >= threshold_at_far(calibration.fused_curve, rule.far)
    keep &= photo_scores >= rule.min_photo_score
    keep &= persons.identity[pairs.query] != persons.identity[pairs.row]
    pairs, photo_scores = pairs.where(keep), photo_scores[keep]
    swap = persons.person[pairs.query] > persons.person[pairs.row]
    i, j = np.where(swap, pairs.row, pairs.query), np.where(swap, pairs.query, pairs.row)
    evidence = [
        f"likeness {z:.1f}, photo to photo {p:.1f}; {m} and {n} faces"
        for z, p, m, n in zip(pairs.scores[0], photo_scores, persons.size[i], persons.size[j], strict=True)
    ]
    return findings_table("merge", persons.person[i], persons.person[j], pairs.scores, evidence)


def _overlaps(
    persons: PersonGallery,
    rows: Rows,
    tests: TestGallery,
    calibration: Calibration,
    rule: RelationRule,
    *,
    memory_bytes: int | None,
) -> pa.Table:
    queries = [take(c, rows) for c in persons.centres]
    gallery = Gallery(tests.centres, tests.indexes)
    matches = best_matches(queries, gallery, calibration, k=NEAREST, memory_bytes=memory_bytes)
    of_match, at = np.unique(matches.row, return_inverse=True)
    photo_scores = mean_photo_scores(persons.means(rows), matches.query, tests.means(of_match), at, calibration)
    keep = matches.fused >= threshold_at_far(calibration.fused_curve, rule.far)
    keep &= photo_scores >= rule.min_photo_score
    matches, photo_scores = matches.where(keep), photo_scores[keep]
    evidence = [
        f"likeness {z:.1f}, photo to photo {p:.1f}" for z, p in zip(matches.scores[0], photo_scores, strict=True)
    ]
    person = persons.person[rows[matches.query]]
    return findings_table("overlap", person, tests.names[matches.row], matches.scores, evidence)


@lru_cache(maxsize=1)
def read_tests(root: str, tests: tuple[tuple[Shard, ...], ...], model: Shard) -> TestGallery:
    """Everything of the test sets to compare with; tests: for each embedder all shards of embeddings.

    Every photo, by its face_id where it has no identity, and the centre of every identity of several photos. model: the
    shard of the calibration. The process keeps the last ones it read, for every shard of the stage needs them.
    """
    names, photos = _test_photos(root, tests)
    several, inverse, count = np.unique(np.array(names, str), return_inverse=True, return_counts=True)
    members = [np.flatnonzero(inverse == g) for g in np.flatnonzero(count > 1)]
    middle = [np.array([centre(x[at]) for at in members], np.float32).reshape(-1, x.shape[1]) for x in photos]
    mean = [np.array([x[at].mean(0) for at in members], np.float32).reshape(-1, x.shape[1]) for x in photos]
    models = read_calibration(root, model).impostors
    centres = [impostor_stats(np.concatenate(both), m) for *both, m in zip(photos, middle, models, strict=True)]
    del photos  # a million of them are 2 GB, and the centres hold them too
    indexes = [build_index(without_impostor_mean(c.x, m)) for c, m in zip(centres, models, strict=True)]
    return TestGallery(np.array([*names, *several[count > 1].tolist()], object), centres, indexes, mean)


def _test_photos(root: str, tests: tuple[tuple[Shard, ...], ...]) -> tuple[list[str], list[NDArray[np.float32]]]:
    """Identity (or face_id) of each test photo with a face, and for each embedder their vectors."""
    rows: list[list[NDArray[Any]]] = [[] for _ in tests]
    names: list[str] = []
    for shards in zip(*tests, strict=True):
        x, valid = read_vectors(root, shards)
        face = read_shard(root, shards[0], ["face_id", "identity"])
        named = [i or f for f, i in zip(texts(face["face_id"]), texts(face["identity"]), strict=True)]
        names += np.array(named, object)[valid].tolist()
        for e, vectors in enumerate(x):
            rows[e].append(vectors[valid].astype(np.float32))
    return names, [np.concatenate(rows.pop(0)) for _ in tests]
