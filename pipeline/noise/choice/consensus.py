"""Chooses the face of a photo by the photos of its identity: the face that fits the person who is in most of them.

Two faces of one photo are two people, so they are not linked, and each photo counts once for a person. One person may
come twice in a photo where a picture was put there twice; either of these faces is right.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.clusters import MAX_LINKED
from pipeline.noise.linkage import average_linkage
from pipeline.noise.persons import SECOND_PERSON
from pipeline.noise.scores.centres import centre_scores
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, fuse, fused_scores, genuine_quantile
from pipeline.noise.scores.score_norm import FaceVectors, Floats, take_rows

ROUNDS = 3  # of choosing faces and computing their centre
APART = -100.0  # the score of two faces of one photo: far below that of any other two
# the fused score, in standard deviations of impostor scores, by which a further face must fit better than the main one
MARGIN = 1.0
Mask = NDArray[np.bool_]


class IdentityFaces(NamedTuple):
    """The n faces of one identity: the main faces of its photos, and the further ones that were embedded."""

    photo: NDArray[np.int64]  # [n]: a number for each photo
    picture: NDArray[np.int64]  # [n]: a number for each picture; duplicates of a photo have the same
    further: Mask  # [n]: not the photo's main face
    first: Mask  # [n]: in the cluster of the identity's person, by the clusters of the main faces alone
    vectors: Sequence[FaceVectors]  # for each embedder


class Fit(NamedTuple):
    """How the n faces of an identity fit its person, or one of its persons where it holds several."""

    scores: Floats  # [n]: fused; a face of the person is compared with the others
    fits: Mask  # [n]: the score reaches the threshold


class FitRates(NamedTuple):
    """The rates from which the thresholds follow; all but the first have the values of policy.Rates."""

    false_links: float  # expected in an identity, as in clusters.py
    outlier: float  # FAR of a face that fits
    outlier_frr: float  # FRR; a weak model's threshold is lowered to this FRR
    lenient: float  # FAR; but not further than to this FAR


def fit_of_faces(faces: IdentityFaces, calibration: Calibration, rates: FitRates) -> Fit | None:
    """How the faces fit the person who is in most pictures; None where no two pictures show one person.

    Photos that do not show that person are compared with each other in the same way: two people may share the identity.
    Such a further person must be in as many pictures as SECOND_PERSON says, as in persons.py. A main face fits at the
    FAR of outliers, a further one at this FAR divided by the number of faces of its photo, one of which may fit by
    chance.
    """
    fit = _fit_of_one_person(faces, calibration, rates, min_pictures=2)
    if fit is None or not fit.fits.any():
        return None
    scores, fits = fit
    while len(rest := np.flatnonzero(~np.isin(faces.photo, faces.photo[fits]))):
        further = _fit_of_one_person(take_faces(faces, rest), calibration, rates, min_pictures=SECOND_PERSON[0])
        if further is None or not further.fits.any():
            break
        shown = np.isin(faces.photo[rest], faces.photo[rest][further.fits])
        scores[rest[shown]], fits[rest] = further.scores[shown], further.fits
    return Fit(scores, fits)


def take_faces(faces: IdentityFaces, rows: NDArray[np.int64]) -> IdentityFaces:
    """Some of the faces of an identity."""
    vectors = [take_rows(v, rows) for v in faces.vectors]
    return IdentityFaces(faces.photo[rows], faces.picture[rows], faces.further[rows], faces.first[rows], vectors)


def _fit_of_one_person(
    faces: IdentityFaces, calibration: Calibration, rates: FitRates, *, min_pictures: int
) -> Fit | None:
    """How the faces fit the person who is in most pictures; None where that person is in fewer than min_pictures.

    The person is sought among all faces and, as a weak model links fewer of many faces, among the main faces alone.
    """
    limits = _limits(faces, calibration, rates)
    found: list[tuple[int, Fit]] = []
    for person in (faces.first, _person_in_most_pictures(faces, calibration, rates)):
        if _pictures(faces, person) >= min_pictures:
            fit = _fit(faces, person, calibration, limits)
            found.append((_rank(faces, best_of_photos(faces.photo, fit.scores) & fit.fits), fit))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _fit(faces: IdentityFaces, person: Mask, calibration: Calibration, limits: Floats) -> Fit:
    """How the faces fit a person, whose faces [n] are found anew from those that fit."""
    for _ in range(ROUNDS):
        scores = fuse(centre_scores(faces.vectors, person, calibration), calibration.weights)
        before, person = person, best_of_photos(faces.photo, scores) & (scores >= limits)
        if np.array_equal(before, person) or _pictures(faces, person) < 2:
            break
    return Fit(scores, scores >= limits)


def _limits(faces: IdentityFaces, calibration: Calibration, rates: FitRates) -> Floats:
    """The score [n] that each face must reach, as policy.py has it for outliers."""
    _, inverse, count = np.unique(faces.photo, return_inverse=True, return_counts=True)
    tries = np.where(faces.further, count[inverse], 1)
    lowest, curve = genuine_quantile(calibration, rates.outlier_frr), calibration.fused_curve
    limit_of = {
        k: min(threshold_at_far(curve, rates.outlier / k), max(threshold_at_far(curve, rates.lenient / k), lowest))
        for k in set(tries.tolist())
    }
    return np.array([limit_of[k] for k in tries.tolist()])


def _pictures(faces: IdentityFaces, member: Mask) -> int:
    return len(np.unique(faces.picture[member]))


def _rank(faces: IdentityFaces, member: Mask) -> int:
    """By what persons are ranked: the pictures that show them, those with a main face counted twice."""
    return _pictures(faces, member) + _pictures(faces, member & ~faces.further)


def _person_in_most_pictures(faces: IdentityFaces, calibration: Calibration, rates: FitRates) -> Mask:
    """The faces [n] of the cluster that is in most pictures; main faces count twice, as in _size().

    Of more than MAX_LINKED faces only those of some photos are clustered, at equal distances in their order.
    """
    if len(faces.photo) > MAX_LINKED:
        photos = np.unique(faces.photo)
        linked = photos[np.linspace(0, len(photos) - 1, MAX_LINKED * len(photos) // len(faces.photo)).astype(int)]
        rows = np.flatnonzero(np.isin(faces.photo, linked))[:MAX_LINKED]
        person = np.zeros(len(faces.photo), bool)
        person[rows] = _person_in_most_pictures(take_faces(faces, rows), calibration, rates)
        return person
    scores = fused_scores(faces.vectors, faces.vectors, calibration)
    apart = (faces.photo[:, None] == faces.photo[None]) & ~np.eye(len(scores), dtype=bool)
    pairs = len(scores) * (len(scores) - 1) / 2
    limit = threshold_at_far(calibration.fused_curve, rates.false_links / max(pairs, 1))
    labels = average_linkage(np.where(apart, APART, scores), limit)
    best = max(np.unique(labels).tolist(), key=lambda c: _size(faces, labels == c, scores))
    return np.asarray(labels == best)


def _size(faces: IdentityFaces, member: Mask, scores: Floats) -> tuple[bool, int, float]:
    """By what clusters are ranked: whether they are in several pictures, _rank(), the mean score of their faces."""
    mean = round(float(scores[np.ix_(member, member)].mean()), 6)
    return _pictures(faces, member) > 1, _rank(faces, member), mean


def best_of_photos(photo: NDArray[np.int64], scores: Floats) -> Mask:
    """Which faces [n] have the highest score of their photo; of equal scores the first."""
    order = np.lexsort((np.arange(len(photo)), -scores, photo))
    first = np.append(True, np.diff(photo[order]) != 0)[: len(order)]
    best = np.zeros(len(photo), bool)
    best[order[first]] = True
    return best


def better_faces(photo: NDArray[Any], further: Mask, scores: Floats, fits: Mask) -> NDArray[np.int64]:
    """The rows of the further faces to choose instead of the main faces of their photos.

    photo, further, scores, fits [n]: of each face its photo, whether it is a further one, its score, and whether that
    is high enough. A further face must score higher than the photo's main face by MARGIN.
    """
    best = np.flatnonzero(best_of_photos(photo, scores) & further & fits)
    main = {int(p): float(z) for p, z in zip(photo[~further], scores[~further], strict=True)}
    return np.array([i for i in best.tolist() if scores[i] >= main[int(photo[i])] + MARGIN], np.int64)
