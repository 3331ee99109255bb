"""The relations table: pairs of persons that may be one human being (merge), and persons in a test set (overlap).

A model must not be trained on people of a test set, or the test would measure what it remembers. Each person is
compared with every identity and with every single photo of the test sets.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.groups.calibrations import Calibrations, read_calibrations
from pipeline.noise.person_gallery import PersonGallery, read_persons, similar_persons
from pipeline.noise.scores.centres import robust_centre
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, genuine_quantile, mean_photo_scores
from pipeline.noise.scores.score_norm import FaceVectors, Floats, impostor_stats, take_rows
from pipeline.noise.search.candidates import Gallery, Matches, Rows, best_matches, without_impostor_mean
from pipeline.noise.search.neighbours import Index, build_index
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import Shard, read_shard

NEAREST = 3  # nearest entries of the test sets that a person is scored with

# two persons whose photos are less alike than those of each by this share, and whose means are so many times further
# apart than chance explains, are never merged without people; both are means over the embedders. On noisy_lfw no person
# under two names reaches both (29: at most 0.16, and 2.0); of the 40 most similar pairs of different people all do
MIN_GAP, MIN_DISTANCE = 0.1, 2.2
NEVER_MIX = "; their photos never mix: twins, or one person at two ages?"


class RelationRule(NamedTuple):
    """When two persons, or a person and an entry of a test set, are reported as one human being."""

    far: float  # the score of their centres must reach the threshold for this FAR
    min_photo_score: float  # the mean score over all pairs of their photos must reach this


class TestGallery(NamedTuple):
    """The entries of all test sets: first every photo, then every identity of several photos."""

    names: NDArray[np.object_]  # an entry's identity; of a photo without one its face_id
    centres: list[FaceVectors]  # for each embedder
    indexes: list[Index]  # for each embedder, of the centres
    identity_means: Sequence[NDArray[np.float32]]  # for each embedder, of the identities' photos, not normalised

    def means(self, rows: Rows) -> list[NDArray[np.float32]]:
        """For each embedder the means [n, d] of the photos of n entries; a single photo is its own mean."""
        means = []
        for centres, identity_means in zip(self.centres, self.identity_means, strict=True):
            x, first = centres.x[rows], len(self.names) - len(identity_means)
            x[rows >= first] = identity_means[rows[rows >= first] - first]
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
    groups: Sequence[Shard] | None = None,
    memory_bytes: int | None = None,
) -> pa.Table:
    """The merges and overlaps of the persons of one shard.

    part: the number of the shard, all shards of persons, and for each embedder the shards of the test sets' embeddings
    (none without a test set). merge, overlap: expected false alarms for each person, among all persons or entries that
    it is compared with. odd_pairs, odd_photo: FRR of the threshold that the mean score over pairs of photos must reach,
    for merges and for overlaps. groups: the GroupShards, if identities have groups: merges within one are scored by its
    calibration. memory_bytes: how much the blocks of the searches may take.
    """
    number, shards, tests = part
    calibrations, persons = read_calibrations(root, calibration, groups), read_persons(root, shards, calibration)
    score_calibration, rows = calibrations.whole, np.flatnonzero(persons.shard == number)
    tables = [_merges(persons, rows, calibrations, (merge / max(1, len(persons.person)), odd_pairs), memory_bytes)]
    if any(tests):
        test_gallery = read_test_gallery(root, tuple(map(tuple, tests)), calibration)
        rule = RelationRule(overlap / max(1, len(test_gallery.names)), genuine_quantile(score_calibration, odd_photo))
        tables.append(find_overlaps(persons, rows, test_gallery, score_calibration, rule, memory_bytes=memory_bytes))
    return combine_findings(tables)


def _merges(
    persons: PersonGallery,
    rows: Rows,
    calibrations: Calibrations,
    rates: tuple[float, float],
    memory_bytes: int | None,
) -> pa.Table:
    """The merges of the persons in these rows. rates: the FAR and the FRR of the rule."""
    pairs = similar_persons(persons, rows, calibrations.whole, memory_bytes=memory_bytes)
    side = persons.centres, persons.identity
    pairs = calibrations.rescored(pairs, side, side)
    photo_scores, min_photo_scores = _photo_scores(persons, pairs, calibrations, rates[1])
    keep = pairs.fused >= threshold_at_far(calibrations.whole.fused_curve, rates[0])
    keep &= photo_scores >= min_photo_scores
    keep &= persons.identity[pairs.query] != persons.identity[pairs.row]
    pairs, photo_scores = pairs.select(keep), photo_scores[keep]
    swap = persons.person[pairs.query] > persons.person[pairs.row]
    i, j = np.where(swap, pairs.row, pairs.query), np.where(swap, pairs.query, pairs.row)
    apart = _never_mix(persons, i, j)
    evidence = [
        f"likeness {z:.1f}, photo to photo {p:.1f}; {m} and {n} faces" + (NEVER_MIX if a else "")
        for z, p, m, n, a in zip(pairs.scores[0], photo_scores, persons.size[i], persons.size[j], apart, strict=True)
    ]
    even = np.where(apart, 0.5, np.nan)
    return findings_table("merge", persons.person[i], persons.person[j], pairs.scores, evidence, [even, even])


def _photo_scores(
    persons: PersonGallery, pairs: Matches, calibrations: Calibrations, frr: float
) -> tuple[Floats, Floats]:
    """The mean score [n] over all pairs of photos of each pair of persons, and the threshold [n] with this FRR."""
    distinct, index = np.unique(np.concatenate([pairs.query, pairs.row]), return_inverse=True)
    means, (one, two) = persons.means(distinct), np.split(index, 2)
    pair_group = calibrations.pair_groups(persons.identity[pairs.query], persons.identity[pairs.row])
    scores, least = np.empty(len(one)), np.empty(len(one))
    for group in np.unique(pair_group).tolist():
        calibration, of_group = calibrations.of(group), pair_group == group
        scores[of_group] = mean_photo_scores(means, one[of_group], means, two[of_group], calibration)
        least[of_group] = genuine_quantile(calibration, frr)
    return scores, least


def _never_mix(persons: PersonGallery, i: Rows, j: Rows) -> NDArray[np.bool_]:
    """Whether the photos of persons i [n] and j [n] are two groups: twins, say, or one person at two ages.

    The mean cosine of two photos of one of them is higher by the share MIN_GAP than that of a photo of each, and the
    means of both are further apart than chance explains. Photos of one person that were dealt to two identities at
    random differ by their noise: the squared distance of the means is then about the noise of a photo times 1/m + 1/n.
    """
    m, n = (persons.size[rows].astype(np.float64) for rows in (i, j))
    gaps, distances = np.zeros(len(i)), np.zeros(len(i))
    for centres, lengths in zip(persons.centres, persons.lengths, strict=True):
        one, two = (lengths[rows].astype(np.float64) for rows in (i, j))  # of the means
        across = np.einsum("nd,nd->n", centres.x[i].astype(np.float64), centres.x[j].astype(np.float64)) * one * two
        # mean cosines of two photos of one person: the mean's squared length without each photo's product with itself
        within = [(k * k * length**2 - k) / np.maximum(k * (k - 1), 1) for k, length in ((m, one), (n, two))]
        noise = 1 - (m * within[0] + n * within[1]) / (m + n)
        expected = np.maximum(noise, 1e-3) * (1 / m + 1 / n)
        gaps += 1 - across / np.maximum((within[0] + within[1]) / 2, 1e-3)
        distances += (one**2 + two**2 - 2 * across) / expected
    count = len(persons.centres)
    return (m > 1) & (n > 1) & (gaps >= MIN_GAP * count) & (distances >= MIN_DISTANCE * count)


def find_overlaps(
    persons: PersonGallery,
    rows: Rows,
    tests: TestGallery,
    calibration: Calibration,
    rule: RelationRule,
    *,
    memory_bytes: int | None = None,
) -> pa.Table:
    """The findings that persons, those in these rows of the gallery, are persons of the test sets."""
    queries = [take_rows(c, rows) for c in persons.centres]
    gallery = Gallery(tests.centres, tests.indexes)
    matches = best_matches(queries, gallery, calibration, k=NEAREST, memory_bytes=memory_bytes)
    entries, index = np.unique(matches.row, return_inverse=True)
    photo_scores = mean_photo_scores(persons.means(rows), matches.query, tests.means(entries), index, calibration)
    keep = matches.fused >= threshold_at_far(calibration.fused_curve, rule.far)
    keep &= photo_scores >= rule.min_photo_score
    matches, photo_scores = matches.select(keep), photo_scores[keep]
    evidence = [
        f"likeness {z:.1f}, photo to photo {p:.1f}" for z, p in zip(matches.scores[0], photo_scores, strict=True)
    ]
    person = persons.person[rows[matches.query]]
    return findings_table("overlap", person, tests.names[matches.row], matches.scores, evidence)


@lru_cache(maxsize=1)
def read_test_gallery(root: str, tests: tuple[tuple[Shard, ...], ...], calibration: Shard) -> TestGallery:
    """The entries of the test sets. tests: for each embedder all shards of embeddings; calibration: the table's shard.

    The last gallery that was read is cached in the process, because every shard of the stage needs it.
    """
    names, photos = _test_photos(root, tests)
    return make_test_gallery(names, photos, read_calibration(root, calibration))


def make_test_gallery(names: Sequence[str], photos: list[NDArray[np.float32]], calibration: Calibration) -> TestGallery:
    """The entries of n test photos. names: identity or face_id of each; photos: their vectors [n, d] by each embedder.

    The list of photos is emptied: a million of them take 2 GB, and the centres contain them.
    """
    distinct, inverse, count = np.unique(np.array(names, str), return_inverse=True, return_counts=True)
    members = [np.flatnonzero(inverse == g) for g in np.flatnonzero(count > 1)]
    middles = [np.array([robust_centre(x[m]) for m in members], np.float32).reshape(-1, x.shape[1]) for x in photos]
    means = [np.array([x[m].mean(0) for m in members], np.float32).reshape(-1, x.shape[1]) for x in photos]
    impostors = calibration.impostors
    centres = [impostor_stats(np.concatenate(both), m) for *both, m in zip(photos, middles, impostors, strict=True)]
    photos.clear()
    indexes = [build_index(without_impostor_mean(c.x, m)) for c, m in zip(centres, impostors, strict=True)]
    return TestGallery(np.array([*names, *distinct[count > 1].tolist()], object), centres, indexes, means)


def _test_photos(root: str, tests: tuple[tuple[Shard, ...], ...]) -> tuple[list[str], list[NDArray[np.float32]]]:
    """The name of each test photo with a face (identity, or else face_id), and for each embedder their vectors."""
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
