"""Robust centres of several faces, and the scores of faces with the centre of the others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import (
    FaceVectors,
    Floats,
    ImpostorModel,
    leave_one_out_scores,
    score_matrix,
    take_rows,
    weighted_means,
)

MANY_FACES = 50  # of a cluster; from here on a single face hardly moves the centre
MIN_TRIMMED = 5  # faces of a cluster; of smaller ones the centre is the mean of all faces


def inner_faces(x: NDArray[Any], *, rounds: int = 2, trim: float = 0.2) -> NDArray[np.bool_]:
    """Which of the unit rows x [n, d] the robust centre is the mean of.

    In each round, all rows but the share `trim` with the lowest cosines to the mean of the rows kept before.
    """
    keep = np.ones(len(x), bool)
    for _ in range(rounds if len(x) >= MIN_TRIMMED else 0):
        order = np.argsort(-np.round(x @ (keep.astype(np.float64) @ x / keep.sum()), 9), kind="stable")
        keep = np.zeros(len(x), bool)
        keep[order[: max(3, int(np.ceil(len(x) * (1 - trim))))]] = True
    return keep


def robust_centre(x: NDArray[Any]) -> Floats:
    """The robust centre [d] of unit rows x [n, d], a unit vector."""
    mean = np.asarray(x[inner_faces(x)], np.float64).mean(0)
    return np.asarray(mean / max(np.linalg.norm(mean), 1e-9))


def robust_centres(faces: FaceVectors, members: Sequence[NDArray[np.bool_]], impostors: ImpostorModel) -> FaceVectors:
    """The robust centres of several clusters of faces. members: for each cluster which of the n faces are in it."""
    weights = np.zeros((len(members), len(faces.x)))
    for row, member in zip(weights, members, strict=True):
        row[np.flatnonzero(member)[inner_faces(faces.x[member])]] = 1
    return weighted_means(faces, weights, impostors)


def centre_scores(faces: Sequence[FaceVectors], member: NDArray[np.bool_], calibration: Calibration) -> list[Floats]:
    """For each embedder the scores [n] of the faces of an identity with the centre of a cluster.

    member [n]: which faces are in the cluster. A member is compared with the mean of the other members, so that its own
    vector does not raise its score. The score of an only member is nan.
    """
    return [_centre_scores(f, member, m) for f, m in zip(faces, calibration.impostors, strict=True)]


def _centre_scores(faces: FaceVectors, member: NDArray[np.bool_], impostors: ImpostorModel) -> Floats:
    z = score_matrix(faces, robust_centres(faces, [member], impostors))[:, 0]
    count = int(member.sum())
    if count == 1:
        z[member] = np.nan
    elif count < MANY_FACES:
        z[member] = leave_one_out_scores(take_rows(faces, member), impostors)
    return z
