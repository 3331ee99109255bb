"""Searches a set for the photos with the highest normalised scores with one face, one shard in memory at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flows.find.gallery import Gallery
from pipeline.noise.scores.score_norm import FaceVectors, impostor_stats, score_matrix
from pipeline.tables.columns import vectors
from pipeline.tables.table import Shard, read_shard


@dataclass(frozen=True)
class Candidate:
    """A photo of the set: score and cosine with the query; score_per_cosine: what a cosine of 1 adds to the score."""

    photo: str
    identity: str
    score: float
    cosine: float
    score_per_cosine: float
    shard: Shard
    row: int
    jpeg: bytes = b""  # the aligned face


class ShardRows(NamedTuple):
    """The rows of one shard in the tables of a gallery; faces are read later, and only for the best candidates."""

    photos: pa.Table
    faces: Shard
    embeddings: pa.Table
    labels: pa.Table | None


def best_candidates(gallery: Gallery, embedding: NDArray[np.float32], top: int) -> tuple[list[Candidate], int]:
    """The `top` best candidates for an embedding [d], with their faces, and how many photos with a face there are."""
    query = impostor_stats((embedding / np.linalg.norm(embedding))[None], gallery.impostors)
    best: list[Candidate] = []
    searched = 0
    for rows in _shards(gallery):
        x, has_face = vectors(rows.embeddings["x"])
        at = np.flatnonzero(has_face)
        searched += len(at)
        faces = impostor_stats(x[at].astype(np.float64), gallery.impostors)
        best += _shard_candidates(rows, at, query, faces, top)
        best = sorted(best, key=lambda candidate: (-candidate.score, candidate.photo))[:top]
    return [replace(candidate, jpeg=_jpeg(gallery.faces.root, candidate)) for candidate in best], searched


def _shard_candidates(
    rows: ShardRows, at: NDArray[np.intp], query: FaceVectors, faces: FaceVectors, top: int
) -> Iterator[Candidate]:
    """The best candidates of a shard; at [n]: its rows with a face; faces: their embeddings and impostor statistics."""
    scores = score_matrix(query, faces)[0]
    score_per_cosine = 0.5 / query.impostor_deviation[0] + 0.5 / faces.impostor_deviation
    for i in np.argsort(-scores, kind="stable")[:top].tolist():
        row = int(at[i])
        yield Candidate(
            rows.photos["key"][row].as_py(),
            _identity(rows, row),
            float(scores[i]),
            float(query.x[0] @ faces.x[i]),
            float(score_per_cosine[i]),
            rows.faces,
            row,
        )


def _shards(gallery: Gallery) -> Iterator[ShardRows]:
    shards = gallery.faces.shards
    labels = gallery.labels.batches(["identity", "reason"]) if gallery.labels else iter([None] * len(shards))
    photos, embeddings = gallery.photos.batches(["key", "identity"]), gallery.embeddings.batches(["x"])
    for rows in zip(photos, shards, embeddings, labels, strict=True):
        yield ShardRows(*rows)


def _identity(rows: ShardRows, row: int) -> str:
    """The claimed identity; where the label differs, also the new identity or the reason of removal."""
    claimed = rows.photos["identity"][row].as_py() or ""
    if rows.labels is None:
        return claimed
    label, reason = rows.labels["identity"][row].as_py(), rows.labels["reason"][row].as_py()
    return claimed if label == claimed else f"{claimed} -> {label or reason}"


def _jpeg(root: str, candidate: Candidate) -> bytes:
    return bytes(read_shard(root, candidate.shard, ["jpeg"])["jpeg"][candidate.row].as_py())
