"""The copies table: the duplicates within each identity (the same picture twice under one label).

For every face it also has what later stages need: the hash of its sketch, the norm of its embedding, and the mean and
deviation of its cosines to impostors.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import Sketches, tone_hashes
from pipeline.noise.calibration import read_calibration
from pipeline.noise.pictures.components import components
from pipeline.noise.pictures.face_digests import first_bits
from pipeline.noise.pictures.half_size import ComparedTones, compared_tones
from pipeline.noise.pictures.same_picture import pair_correlations, sketch_rows
from pipeline.noise.pictures.similar_faces import NEAREST, FacePairs, centre_vectors, face_pairs, near_pairs
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats, fuse, pair_scores
from pipeline.noise.scores.score_norm import FaceVectors, Floats
from pipeline.tables.columns import read_vectors, runs
from pipeline.tables.table import Shard, read_shard

Indices = NDArray[np.signedinteger[Any]]
Pairs = tuple[Indices, Indices, Floats]  # rows i and j of each pair, and the correlation of their sketches
NO_PAIRS: Pairs = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
# for the score of two faces; only pairs that reach it are compared by their pixels. A weak embedder gives a photo that
# was made grey or dark a low score with the original
CANDIDATE_FAR = 0.1
BLOCK_PAIRS = 1 << 14  # pairs of pictures that are compared at a time
COPIES = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("sha", pa.uint64()),  # the first 64 bits of the SHA-256 of the photo's bytes
        ("copy_of", pa.string()),  # the best duplicate; null: there is none, or this face is the best
        ("correlation", pa.float32()),  # the highest with any of its duplicates; 1 for equal bytes; null: no duplicate
        ("hash", pa.uint64()),  # of the sketch's tones
        # of the first embedder's vector; blurred faces have a smaller norm, so the best duplicate has the largest
        ("norm", pa.float32()),
        ("mean", pa.float64()),  # mean, deviation: of the face's cosines to impostors, first embedder
        ("deviation", pa.float64()),
        ("second_mean", pa.float64()),  # the same, second embedder
        ("second_deviation", pa.float64()),
    ]
)
IMPOSTOR_COLUMNS = (("mean", "deviation"), ("second_mean", "second_deviation"))  # for each embedder


class _Pictures(NamedTuple):
    """The pictures of a shard's n faces."""

    sketches: Sketches
    compared: ComparedTones
    sha: Indices  # [n]: a number for each SHA-256, so that photos with equal bytes have equal numbers


def copy_shard(
    part: tuple[Shard, tuple[Shard, ...]], *, root: str, calibration: Shard, alike: float, least: float
) -> pa.Table:
    """The duplicates within each identity of one shard; part: the shard of faces, and each embedder's embeddings.

    alike: FAR that the score of two faces must reach before their pixels are compared; least: the correlation of
    sketches from which on two faces are duplicates.
    """
    faces, embeddings = part
    score_calibration = read_calibration(root, calibration)
    rows = read_shard(root, faces, ["face_id", "identity", "sha", "sketch"])
    norm = read_shard(root, embeddings[0], ["norm"])["norm"].to_numpy()
    x, embedded = read_vectors(root, embeddings)
    vectors = all_impostor_stats(x, score_calibration)
    sketches, drawn = sketch_rows(rows["sketch"])
    sha = rows["sha"].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    pictures = _Pictures(sketches, compared_tones(sketches), sha)
    usable = embedded & drawn
    identities = [start + np.flatnonzero(usable[start:end]) for _, start, end in runs(rows["identity"])]
    pairs = _duplicate_pairs(pictures, vectors, identities, score_calibration, far=alike, min_correlation=least)
    copy_of, correlation = _best_duplicates(pairs, norm)
    stats = [pa.array(c, pa.float64(), mask=~embedded) for v in vectors for c in v[1:]]
    stats += [pa.nulls(len(rows), pa.float64())] * (4 - len(stats))
    bits, hashed = first_bits(rows["sha"])
    columns = [
        rows["face_id"],
        rows["identity"],
        pa.array(bits, pa.uint64(), mask=~hashed),
        rows["face_id"].take(pa.array(copy_of, mask=copy_of < 0)),
        pa.array(correlation, pa.float32(), from_pandas=True),
        pa.array(tone_hashes(pictures.compared.tones), pa.uint64(), mask=~drawn),
        pa.array(norm, pa.float32(), from_pandas=True),
    ]
    return pa.table([*columns, *stats], schema=COPIES)


def _duplicate_pairs(
    pictures: _Pictures,
    vectors: Sequence[FaceVectors],
    identities: Sequence[Indices],
    calibration: Calibration,
    *,
    far: float,
    min_correlation: float,
) -> Pairs:
    """The pairs of rows of one identity that are one picture. identities: the rows of each identity."""
    limit = threshold_at_far(calibration.fused_curve, far)

    def compare(pairs: FacePairs) -> Pairs:
        likely = fuse(pair_scores(vectors, pairs.i, vectors, pairs.j), calibration.weights) >= limit
        pairs = pairs.part(likely)
        r = np.asarray(pair_correlations(pictures.sketches, pictures.compared, pairs), np.float64)
        same = r >= min_correlation
        return pairs.i[same], pairs.j[same], r[same]

    pairs: list[Pairs] = [NO_PAIRS]
    distinct = []
    for rows in identities:
        if len(rows) > 1:
            _, first, inverse = np.unique(pictures.sha[rows], return_index=True, return_inverse=True)
            if len(first) < len(rows):
                repeated = np.flatnonzero(first[inverse] != np.arange(len(rows)))
                pairs.append((rows[first[inverse[repeated]]], rows[repeated], np.ones(len(repeated))))
                rows = np.sort(rows[first])
            distinct.append(rows)
    pairs += _duplicates_by_pixels(pictures, vectors, distinct, compare)
    i, j, r = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return i, j, r


def _duplicates_by_pixels(
    pictures: _Pictures,
    vectors: Sequence[FaceVectors],
    identities: Sequence[Indices],
    compare: Callable[[FacePairs], Pairs],
) -> Iterator[Pairs]:
    """The pairs of rows of one identity that compare() finds to be one picture.

    A picture may have more duplicates than a face has candidates. So after each round one face of every picture stays,
    and the places of the others go to the next most similar faces, until no pair is new. The pairs of many identities
    are compared together, because most identities are small.
    """
    centres = centre_vectors(pictures.compared.tones)
    searches = [_Search(rows, centres, partial(_joined_vectors, vectors)) for rows in identities]
    of_row = np.full(len(pictures.sha), -1)
    for number, rows in enumerate(identities):
        of_row[rows] = number
    going_on = list(range(len(searches)))
    while going_on:
        new = [searches[number].next_pairs() for number in going_on]
        i, j = (np.concatenate(column) for column in zip(*new, strict=True))
        found: list[Pairs] = [NO_PAIRS]
        for start in range(0, len(i), BLOCK_PAIRS):
            block = slice(start, start + BLOCK_PAIRS)
            pairs = face_pairs(*pictures.compared, i[block], j[block])
            found.append(compare(pairs.part(pairs.are_alike())))
        yield from found
        one, two = (np.concatenate([pairs[k] for pairs in found]) for k in (0, 1))
        going_on = []
        for number in np.unique(of_row[one]).tolist():
            inside = of_row[one] == number
            if searches[number].keep_one_of_each(one[inside], two[inside]):
                going_on.append(number)


class _Search:
    """The rounds in which candidate pairs of duplicates of one identity are chosen; rows: the identity's."""

    def __init__(self, rows: Indices, centres: NDArray[np.float32], vectors: Callable[[Indices], Any]) -> None:
        self.rows, self.centres, self.vectors = rows, centres, vectors
        self.left: Indices = np.arange(len(rows))  # of the rows, one of every picture
        self.known: Indices = np.empty(0, np.int64)  # pairs of earlier rounds, as i * n + j

    def next_pairs(self) -> tuple[Indices, Indices]:
        """The rows of further pairs."""
        n, rows = len(self.rows), self.rows[self.left]
        i, j = near_pairs(lambda: self.vectors(rows), self.centres[rows])
        new = self.left[i] * n + self.left[j]
        if len(self.known):
            new = np.setdiff1d(new, self.known)
        self.known = np.concatenate([self.known, new])
        return self.rows[new // n], self.rows[new % n]

    def keep_one_of_each(self, one: Indices, two: Indices) -> bool:
        """Keep one face of every picture; one, two: rows of pairs that are one picture. False: no pair can be new."""
        if len(self.left) <= NEAREST + 1:
            return False
        group = components(len(self.left), *(np.searchsorted(self.rows[self.left], rows) for rows in (one, two)))
        self.left = self.left[group == np.arange(len(self.left))]
        return True


def _joined_vectors(vectors: Sequence[FaceVectors], rows: Indices) -> NDArray[np.float32]:
    """Unit vectors [n, d] of the faces in these rows, by all embedders side by side."""
    both = np.concatenate([np.asarray(v.x[rows], np.float32) for v in vectors], axis=1)
    return np.asarray(both / np.float32(len(vectors) ** 0.5), np.float32)


def _best_duplicates(pairs: Pairs, norm: NDArray[Any]) -> tuple[Indices, Floats]:
    """For each face [n] the row of the best of its duplicates, and its highest correlation with any of them.

    The best has the largest norm; of equal norms it is the first row. Row -1: the face has no duplicate or is the best
    itself; correlation nan: no duplicate.
    """
    i, j, r = pairs
    group = components(len(norm), i, j)
    order = np.lexsort((np.arange(len(group)), -norm, group))
    _, start = np.unique(group[order], return_index=True)
    best = np.empty(len(group), np.int64)
    best[order] = np.repeat(order[start], np.diff(np.append(start, len(group))))
    correlation = np.full(len(norm), np.nan)
    np.fmax.at(correlation, np.concatenate([i, j]), np.concatenate([r, r]))
    return np.where(best == np.arange(len(norm)), -1, best), correlation


def impostor_columns(embedders: int) -> list[str]:
    """The columns of COPIES that hold impostor statistics, for this number of embedders."""
    return [column for names in IMPOSTOR_COLUMNS[:embedders] for column in names]


def stored_face_vectors(x: Sequence[NDArray[Any]], copies: pa.Table) -> list[FaceVectors]:
    """The faces' vectors, with the impostor statistics in the copies table. x: for each embedder the vectors [n, d]."""
    return [
        FaceVectors(e, *(copies[c].to_numpy(zero_copy_only=False) for c in names))
        for e, names in zip(x, IMPOSTOR_COLUMNS, strict=False)
    ]
