"""The numbers behind the verdicts: how alike faces are to their names, and how well names tell faces apart.

Angles, ROC and CMC are of the refinement's own vectors on a sample of names drawn by hash, once as claimed and once as
refined, so they say what the change of labels did, not what a model is worth: for that there are test sets.
"""

from collections import Counter, defaultdict
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.noise.scores.score_norm import Floats
from pipeline.refinement import Refinement
from pipeline.review.questions.belief import genuine_scores, outlier_belief
from pipeline.review.questions.queue import MIN_ERROR_PROBABILITY
from pipeline.tables.columns import vectors

NAMES, FACES = 400, 4  # of the sample: 1.3 million pairs
BINS = np.linspace(-8, 20, 113)  # of likeness
DEGREES = np.linspace(0, 120, 61)
RANKS = 20


class Histogram(NamedTuple):
    """Counts [n] between edges [n + 1], by what became of the photo."""

    edges: NDArray[Any]
    counts: dict[str, NDArray[np.int64]]


class Apart(NamedTuple):
    """How far names tell faces apart: degrees between faces of one name and of two, TAR by FAR, hits by rank."""

    same: NDArray[np.int64]  # by DEGREES
    other: NDArray[np.int64]
    far: NDArray[Any]
    tar: Floats
    cmc: Floats  # [RANKS]
    faces: int
    pairs: int


def to_person(done: Refinement, calibration: Calibration) -> Histogram:
    """The likeness of each face to the person of its claimed name, by what became of it."""
    columns = ("core", "second")[: len(calibration.far_curves)]
    counts: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(BINS) - 1, np.int64))
    tables = (
        done.clusters.batches(columns),
        done.labels.batches(["claimed", "identity", "reason"]),
    )
    for rows, labels in zip(*tables, strict=True):
        core = [rows[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in columns]
        total = fuse(core, calibration.weights)
        said = zip(*(labels[c].to_pylist() for c in ("claimed", "identity", "reason")), strict=True)
        fate = np.array(["kept" if i == c else "removed" if i is None else "moved" for c, i, _ in said], object)
        for name in ("kept", "moved", "removed"):
            values = total[(fate == name) & np.isfinite(total)]
            counts[name] += np.histogram(np.clip(values, BINS[0], BINS[-1]), BINS)[0]
    return Histogram(BINS, dict(counts))


def apart(done: Refinement) -> dict[str, Apart]:
    """How far names tell faces apart, as claimed and as refined; empty where no name of the sample has two faces."""
    found = {}
    for title, column in (("as claimed", "claimed"), ("as refined", "identity")):
        x, names = _sample(done, column)
        if len(x) and max(Counter(names.tolist()).values()) > 1:
            found[title] = measure(x, names)
    return found


def _sample(done: Refinement, column: str) -> tuple[Floats, NDArray[np.int64]]:
    """Unit vectors and names of a few faces of some names, both drawn by a hash."""
    names = {n for t in done.labels.batches([column]) for n in t[column].unique().to_pylist() if n}
    drawn = set(sorted(names, key=_hash)[:NAMES])
    rows: dict[str, list[tuple[bytes, Any]]] = defaultdict(list)
    tables = (done.labels.batches(["face_id", column]), done.embeddings[0].batches(["x"]))
    for labels, embedded in zip(*tables, strict=True):
        x, there = vectors(embedded["x"])
        said = zip(labels["face_id"].to_pylist(), labels[column].to_pylist(), there, strict=True)
        for i, (face, name, has) in enumerate(said):
            if has and name in drawn:  # copied, for a view would keep the whole shard in memory
                rows[name] = sorted([*rows[name], (_hash(face), x[i].copy())], key=lambda r: r[0])[:FACES]
    kept = [(code, v) for code, name in enumerate(sorted(rows)) for _, v in rows[name]]
    if not kept:
        return np.zeros((0, 1)), np.zeros(0, np.int64)
    stacked = np.array([v for _, v in kept], np.float64)
    stacked /= np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-9)
    return stacked, np.array([c for c, _ in kept])


def _hash(word: str) -> bytes:
    return blake2b(word.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def measure(x: Floats, names: NDArray[np.int64]) -> Apart:
    """The same from unit rows x [n, d] and names [n].

    CMC: every face with another one of its name is a probe once; a hit when its likest mate is among the first k of all
    other faces, the further mates left out.
    """
    cosine = np.clip(x @ x.T, -1, 1)
    i, j = np.triu_indices(len(x), 1)
    same = names[i] == names[j]
    values = cosine[i, j]
    degrees = np.degrees(np.arccos(values))
    strangers = np.sort(values[~same])
    far = np.geomspace(1e-4, 1, 33)
    passing = np.floor(far * len(strangers) + 1e-9).astype(int)  # strangers that may pass; the next one must not
    level = np.append(-np.inf, strangers)[len(strangers) - passing]
    tar = np.array([(values[same] > v).mean() for v in level], np.float64)
    mine, others = (np.histogram(degrees[m].clip(0, 119.99), DEGREES)[0] for m in (same, ~same))
    return Apart(mine, others, far, tar, _cmc(cosine, names), len(x), len(values))


def _cmc(cosine: Floats, names: NDArray[np.int64]) -> Floats:
    mate = names[:, None] == names[None]
    best = np.where(mate & ~np.eye(len(names), dtype=bool), cosine, -np.inf).max(1)
    rank = ((cosine >= best[:, None]) & ~mate).sum(1)[np.isfinite(best)]
    return np.array([(rank <= k).mean() for k in range(RANKS)])


def band(done: Refinement, calibration: Calibration) -> tuple[float, float] | None:
    """The likenesses, under the usual one, at which a face is neither surely the person nor surely somebody else."""
    usual = genuine_scores(done, calibration)
    p = outlier_belief(BINS, calibration.fused_curve, usual)
    unsure = BINS[(usual.mean > BINS) & (p > MIN_ERROR_PROBABILITY) & (p < 1 - MIN_ERROR_PROBABILITY)].tolist()
    return (unsure[0], unsure[-1]) if unsure else None
