"""How well labels separate faces, as claimed and as refined: angles of genuine and impostor pairs, ROC and CMC.

This is measured on a random sample of identities, with the embeddings of the refinement's first embedder. The refined
labels were made by these embeddings, so the comparison shows the effect of the new labels and does not measure a model.
"""

from collections import Counter, defaultdict
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.score_norm import Floats
from pipeline.refinement import Refinement
from pipeline.tables.columns import vectors

IDENTITIES, FACES = 400, 4  # identities in the sample, and faces of each: 1.3 million pairs
DEGREES = np.linspace(0, 120, 61)  # edges of the histograms of angles
RANKS = 20  # of the CMC curve


class Separation(NamedTuple):
    """How well the labels of a sample separate its faces."""

    genuine: NDArray[np.int64]  # [60] pairs of one identity in each bin of DEGREES
    impostor: NDArray[np.int64]  # [60] pairs of two identities in each bin of DEGREES
    far: NDArray[Any]  # [33] false accept rates
    tar: Floats  # [33] true accept rate at each FAR
    cmc: Floats  # [RANKS] share of probes identified up to each rank
    faces: int
    pairs: int


def separations(refinement: Refinement) -> dict[str, Separation]:
    """The separation by the labels "as claimed" and "as refined"; one is left out if no identity has two faces."""
    by_labels = {}
    for labels, column in (("as claimed", "claimed"), ("as refined", "identity")):
        x, identity = _sample(refinement, column)
        if len(x) and max(Counter(identity.tolist()).values()) > 1:
            by_labels[labels] = measure_separation(x, identity)
    return by_labels


def _sample(refinement: Refinement, column: str) -> tuple[Floats, NDArray[np.int64]]:
    """Unit embeddings [n, d] and identity numbers [n] of up to FACES faces of IDENTITIES identities, drawn by hash.

    column: "claimed" or "identity" of the labels table.
    """
    identities = {i for rows in refinement.labels.batches([column]) for i in rows[column].unique().to_pylist() if i}
    drawn = set(sorted(identities, key=_hash)[:IDENTITIES])
    faces: dict[str, list[tuple[bytes, Any]]] = defaultdict(list)
    tables = (refinement.labels.batches(["face_id", column]), refinement.embeddings[0].batches(["x"]))
    for labels, embeddings in zip(*tables, strict=True):
        x, has_vector = vectors(embeddings["x"])
        rows = zip(labels["face_id"].to_pylist(), labels[column].to_pylist(), has_vector, strict=True)
        for i, (face, identity, has) in enumerate(rows):
            if has and identity in drawn:  # copied because a view would keep the whole shard in memory
                faces[identity] = sorted([*faces[identity], (_hash(face), x[i].copy())], key=lambda f: f[0])[:FACES]
    sample = [(number, vector) for number, identity in enumerate(sorted(faces)) for _, vector in faces[identity]]
    if not sample:
        return np.zeros((0, 1)), np.zeros(0, np.int64)
    stacked = np.array([vector for _, vector in sample], np.float64)
    stacked /= np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-9)
    return stacked, np.array([number for number, _ in sample])


def _hash(word: str) -> bytes:
    return blake2b(word.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def measure_separation(x: Floats, identity: NDArray[np.int64]) -> Separation:
    """How well identity numbers [n] separate faces with unit embeddings x [n, d].

    CMC: each face with another face of its identity (a mate) is a probe once. It is identified at rank k if its most
    similar mate is among the k most similar other faces, where its further mates are not counted.
    """
    cosine = np.clip(x @ x.T, -1, 1)
    i, j = np.triu_indices(len(x), 1)
    genuine = identity[i] == identity[j]
    values = cosine[i, j]
    degrees = np.degrees(np.arccos(values))
    impostors = np.sort(values[~genuine])
    far = np.geomspace(1e-4, 1, 33)
    accepted = np.floor(far * len(impostors) + 1e-9).astype(int)  # impostor pairs that are accepted at each FAR
    thresholds = np.append(-np.inf, impostors)[len(impostors) - accepted]
    tar = np.array([(values[genuine] > t).mean() for t in thresholds], np.float64)
    angles = [np.histogram(degrees[pairs].clip(0, 119.99), DEGREES)[0] for pairs in (genuine, ~genuine)]
    return Separation(angles[0], angles[1], far, tar, _cmc(cosine, identity), len(x), len(values))


def _cmc(cosine: Floats, identity: NDArray[np.int64]) -> Floats:
    """The share of probes [RANKS] identified up to each rank; cosine [n, n] of all pairs of faces."""
    mates = identity[:, None] == identity[None]
    best = np.where(mates & ~np.eye(len(identity), dtype=bool), cosine, -np.inf).max(1)
    rank = ((cosine >= best[:, None]) & ~mates).sum(1)[np.isfinite(best)]
    return np.array([(rank <= k).mean() for k in range(RANKS)])
