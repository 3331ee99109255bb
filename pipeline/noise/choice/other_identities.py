"""Photos none of whose faces fits their identity: the face that matches the person of another identity.

Such a photo is misplaced. strays.py relabels it by its main face, so the face that matches has to be the main one.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.noise.choice.consensus import better_faces
from pipeline.noise.choice.shard_faces import Choice, Rows, ShardFaces
from pipeline.noise.person_gallery import PersonGallery
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import take_rows
from pipeline.noise.search.candidates import find_candidates, matches_of_pairs

NEAREST = 5  # persons that each face is scored with


class MatchRates(NamedTuple):
    """When a face matches a person of another identity; the rates of policy.Rates that have these names."""

    misplaced: float  # expected false alarms for each photo, all of whose faces are compared with all persons
    support: float  # FAR that each embedder's own score must reach


def matches_elsewhere(
    faces: ShardFaces,
    rows: Rows,
    gallery: PersonGallery,
    calibration: Calibration,
    rates: MatchRates,
    *,
    memory_bytes: int | None = None,
) -> Iterator[Choice]:
    """The choices by persons of other identities; rows: the faces of the photos to be matched, all faces of each."""
    if not faces.further[rows].any() or not len(gallery.person):
        return
    rows = rows[np.isin(faces.photo[rows], faces.photo[rows][faces.further[rows]])]
    queries = [take_rows(v, rows) for v in faces.vectors]
    i, j = find_candidates(queries, gallery.gallery, calibration, k=NEAREST, memory_bytes=memory_bytes)
    other = gallery.identity[j] != faces.identities[faces.photo[rows[i]]]
    best = matches_of_pairs(queries, i[other], gallery.centres, j[other], calibration).best()
    scores, fits = np.full(len(rows), -np.inf), np.zeros(len(rows), bool)
    scores[best.query] = best.fused
    person = dict(zip(best.query.tolist(), best.row.tolist(), strict=True))
    _, inverse, count = np.unique(faces.photo[rows], return_inverse=True, return_counts=True)
    tries = (count[inverse] * len(gallery.person))[best.query]
    limits = [threshold_at_far(calibration.fused_curve, rates.misplaced / n) for n in tries.tolist()]
    fits[best.query] = np.logical_and.reduce(
        [
            best.fused >= np.array(limits),
            *(
                z >= threshold_at_far(c, rates.support)
                for z, c in zip(best.scores, calibration.far_curves, strict=True)
            ),
        ]
    )
    photo, further = faces.photo[rows], faces.further[rows]
    main = {int(p): float(z) for p, z in zip(photo[~further], scores[~further], strict=True) if np.isfinite(z)}
    for k in better_faces(photo, further, scores, fits).tolist():
        name = str(gallery.person[person[k]])
        yield Choice(int(rows[k]), name, float(scores[k]), main.get(int(photo[k])))
