"""The set of photos to search: a refinement, or a folder whose photos are detected, embedded and calibrated now."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.refine.tables import build_embeddings, build_faces, build_photos
from flows.refine.test_sets import test_set_source
from pipeline.errors import UserError
from pipeline.faces.protocols import FaceDetector, FaceEmbedder
from pipeline.noise.calibration import FACES, IDENTITIES, read_calibration
from pipeline.noise.scores.calibrate import calibrate
from pipeline.noise.scores.far_curve import FarCurve
from pipeline.noise.scores.score_norm import ImpostorModel
from pipeline.refinement import latest
from pipeline.tables.build import Workers
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table

MIN_IDENTITIES = 100  # impostor pairs are pairs across identities; with fewer identities every photo counts as one


class Gallery(NamedTuple):
    """A set of photos: three tables with the same rows, and the calibration of scores on it.

    impostors: mean and covariance of the embeddings of many people; far_curve: scores by false accept rate; labels: the
    labels of the same rows where the set is a refinement, else None; guess: there are too few people to measure
    thresholds.
    """

    photos: Table
    faces: Table
    embeddings: Table
    impostors: ImpostorModel
    far_curve: FarCurve
    labels: Table | None
    guess: bool


def refined_gallery(root: str, model: FaceEmbedder) -> Gallery:
    """The photos of a refinement. Raises UserError where its embeddings are not of this model."""
    refinement = latest(root)
    embeddings = refinement.embeddings[0]
    if embeddings.manifest["params"]["embedder"] != model.named_by:
        raise UserError(
            f"the embeddings of {root} are not of {model.model}: give the --embedder and --flip of its refinement, or "
            "neither, for those that it was made with"
        )
    calibration = read_calibration(root, refinement.calibration.shards[0])
    impostors, far_curve = calibration.impostors[0], calibration.far_curves[0]
    guess = calibration.basis.is_guess
    return Gallery(refinement.photos, refinement.faces, embeddings, impostors, far_curve, refinement.labels, guess)


def folder_gallery(
    root: str, folder: str, detector: FaceDetector, model: FaceEmbedder, *, aligned: bool, workers: Workers
) -> Gallery:
    """The photos of a folder, whose tables are built or found in the root. Raises UserError where none has a face."""
    photos, source_paths = build_photos(root, [test_set_source(folder)], workers=workers)
    faces = build_faces(root, photos, source_paths, detector, aligned=aligned, workers=workers)
    embeddings = build_embeddings(root, faces, model, workers=workers)
    x, identity = _calibration_sample(embeddings)
    if not len(x):
        raise UserError(f"no photo of {folder} shows a face: give another folder, or another --detector")
    calibration = calibrate([x], identity=identity)
    guess = calibration.basis.is_guess
    return Gallery(photos, faces, embeddings, calibration.impostors[0], calibration.far_curves[0], None, guess)


def _calibration_sample(embeddings: Table) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Embeddings [n, d] to calibrate impostor scores on, and their identities' numbers [n].

    A few photos of each identity; where there are few identities, each photo counts as an identity of its own.
    """
    identities: list[str] = []
    x: list[NDArray[Any]] = []
    photos_of: dict[str, int] = {}
    few_identities = _count_identities(embeddings) < MIN_IDENTITIES
    for rows in embeddings.batches(["identity", "x"]):
        values, has_face = vectors(rows["x"])
        claimed = rows["identity"].filter(has_face).to_pylist()
        for row, identity in zip(np.flatnonzero(has_face).tolist(), claimed, strict=True):
            name = f"{len(identities)}~" if few_identities or identity is None else identity
            photos_of[name] = photos_of.get(name, 0) + 1
            if photos_of[name] <= FACES and len(identities) < FACES * IDENTITIES:
                identities.append(name)
                x.append(values[row])
    numbers = np.unique(identities, return_inverse=True)[1] if identities else np.zeros(0, np.int64)
    return np.array(x), numbers


def _count_identities(embeddings: Table) -> int:
    identities = {name for rows in embeddings.batches(["identity"]) for name in rows["identity"].unique().to_pylist()}
    return len(identities - {None})
