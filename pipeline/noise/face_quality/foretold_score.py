"""Foretells the score of a face with a sharp photo of the same person, from measures that need no such photo.

Faces of the data, degraded in known steps, teach it (faces/face_quality). Each is scored with its own original: a
genuine pair without a label. The measures are those of an external face-quality model or, without one, the sharpness
and for each embedder two: the norm of the vector, which falls with lost information (in some embedders it rises), and
the cosine to the direction to which the vectors of unrecognisable faces move.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.face_quality.degradations import ORIGINAL
from pipeline.noise.calibration import read_calibration
from pipeline.noise.scores.far_curve import DECIMALS, threshold_at_far
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats, fuse, pair_scores
from pipeline.noise.scores.score_norm import Floats
from pipeline.tables.columns import vectors
from pipeline.tables.table import Shard, read_shard

UNRECOGNISABLE_FAR = 1e-3  # a degraded face that scores less with its own original is one of the unrecognisable
RIDGE = 1.0  # added to the squares of the standardised terms: thirteen steps of one face are not independent
CLIP = 3.0  # standard deviations of the degraded faces beyond which a measure says no more


class MeasuredFaces(NamedTuple):
    """What is known of n faces: sharpness [n], each embedder's unit vectors [n, d] and norms [n], and the output of a
    face-quality model [n], which replaces the others where there is one."""

    sharpness: NDArray[Any]
    x: Sequence[NDArray[Any]]
    norm: Sequence[NDArray[Any]]
    measure: NDArray[Any] | None = None


class ForetoldScore(NamedTuple):
    """A quadratic function of measures, fitted to degraded faces."""

    directions: tuple[
        Floats, ...
    ]  # of unrecognisable faces, a unit vector for each embedder; () with a model's measure
    centre: Floats  # [m], spread: mean and deviation of each measure
    spread: Floats
    weights: Floats  # of the constant and the terms
    full: float  # the mean score of sharp faces with themselves: what a face without any loss would have

    def __call__(self, faces: MeasuredFaces) -> Floats:
        """The quality [n] of faces: the fused score that each would have with a sharp photo of the same person."""
        terms = _terms((_measures(faces, self.directions) - self.centre) / self.spread)
        return np.asarray(np.round(terms @ self.weights, DECIMALS))


def fit_foretold_score(degraded: pa.Table, calibration: Calibration, *, external: bool = True) -> ForetoldScore | None:
    """The function that degraded faces teach (columns: degraded_schema()); None for a table without rows.

    external: use the output of the face-quality model where there is one.
    """
    if not len(degraded):
        return None
    embedders = range(len(calibration.impostors))
    x = [np.asarray(vectors(degraded[f"x{e}"])[0], np.float64) for e in embedders]
    ids, first = np.unique(degraded["face_id"].to_numpy(), return_inverse=True)
    step = degraded["step"].to_numpy()
    original = np.empty(len(ids), np.int64)
    original[first[step == ORIGINAL]] = np.flatnonzero(step == ORIGINAL)
    faces = all_impostor_stats(x, calibration)
    scores = fuse(pair_scores(faces, np.arange(len(step)), faces, original[first]), calibration.weights)
    norms = [degraded[f"norm{e}"].to_numpy().astype(np.float64) for e in embedders]
    has_measure = external and not degraded["measure"].null_count
    measure = degraded["measure"].to_numpy().astype(np.float64) if has_measure else None
    measured = MeasuredFaces(degraded["sharpness"].to_numpy(), x, norms, measure)
    lost = scores < threshold_at_far(calibration.fused_curve, UNRECOGNISABLE_FAR)
    directions = () if measure is not None else _directions(x, lost if lost.any() else step != ORIGINAL, calibration)
    values = _measures(measured, directions)
    centre, spread = np.asarray(values.mean(0), np.float64), np.asarray(np.maximum(values.std(0), 1e-6), np.float64)
    terms = _terms((values - centre) / spread)
    penalty = RIDGE * np.diag(np.append(0.0, np.ones(terms.shape[1] - 1)))
    weights = np.asarray(np.linalg.solve(terms.T @ terms + penalty, terms.T @ scores), np.float64)
    full = round(float(scores[step == ORIGINAL].mean()), DECIMALS)
    return ForetoldScore(directions, centre, spread, weights, full)


def _directions(x: Sequence[Floats], lost: NDArray[np.bool_], calibration: Calibration) -> tuple[Floats, ...]:
    """For each embedder the direction from the mean of all faces to the mean of unrecognisable ones, a unit vector."""
    steps = [rows[lost].mean(0) - impostors.mean for rows, impostors in zip(x, calibration.impostors, strict=True)]
    return tuple(step / max(float(np.linalg.norm(step)), 1e-9) for step in steps)


def _measures(faces: MeasuredFaces, directions: Sequence[Floats]) -> Floats:
    """The measures [n, m]; sharpness and norms on a logarithmic scale."""
    if faces.measure is not None:
        return np.asarray(faces.measure, np.float64)[:, None]
    columns = [np.log(np.maximum(np.asarray(faces.sharpness, np.float64), 1.0))]
    for x, norm, direction in zip(faces.x, faces.norm, directions, strict=True):
        columns.append(np.log(np.maximum(np.asarray(norm, np.float64), 1e-6)))
        columns.append(np.asarray(x, np.float64) @ direction)
    return np.round(np.stack(columns, 1), DECIMALS)


def _terms(values: Floats) -> Floats:
    """One, the standardised measures [n, m], their squares and their products: [n, 1 + m + m (m + 1) / 2]."""
    values = np.clip(values, -CLIP, CLIP)
    i, j = np.triu_indices(values.shape[1])
    return np.concatenate([np.ones((len(values), 1)), values, values[:, i] * values[:, j]], axis=1)


@lru_cache(maxsize=2)
def read_foretold_score(
    root: str, degraded: Shard, calibration: Shard, *, external: bool = True
) -> ForetoldScore | None:
    """The fitted function of a degraded table's only shard. Cached, because every shard of the stage needs it."""
    return fit_foretold_score(read_shard(root, degraded), read_calibration(root, calibration), external=external)
