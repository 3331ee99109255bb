"""Unnamed photos of a refinement that show a person of its data, and those that are duplicates of each other.

For MegaFace these are the distractors to remove. Each unnamed face is compared with the centres of all persons; the
threshold is a false accept rate, so the number of photos listed wrongly is chosen.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.copies import CANDIDATE_FAR
from pipeline.noise.known import NEAREST, first_persons
from pipeline.noise.person_gallery import PersonGallery
from pipeline.noise.pictures.components import components
from pipeline.noise.pictures.face_digests import FaceShards
from pipeline.noise.pictures.picture_pairs import SamePictureRule, unnamed_duplicates
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats
from pipeline.noise.search.candidates import best_matches
from pipeline.refinement import Refinement
from pipeline.tables.columns import vectors
from pipeline.tables.table import read_shard

FALSE_ALARMS = 1e-5  # expected share of distractors listed wrongly: ten of a million
EMBEDDER_FAR = 1e-3  # each embedder's own score must also pass the threshold at this false accept rate


class KnownFace(NamedTuple):
    """An unnamed photo that shows a person of the data: its key, the person's name, each embedder's score."""

    key: str
    person: str
    scores: tuple[float, ...]


class UnnamedPhotos(NamedTuple):
    """How many unnamed photos have a face, which show a person of the data, and which are duplicates.

    duplicates: the key of each duplicate, and that of the photo it duplicates.
    """

    faces: int
    known: list[KnownFace]
    duplicates: dict[str, str]


def answers_on_unnamed(refinement: Refinement) -> dict[str, str]:
    """The answers of people about unnamed photos, by key.

    yes: the photo shows a person of the data; no: it shows none of the persons that were asked about.
    """
    answers: dict[str, str] = {}
    decisions = refinement.decisions.batches(["verdict", "who"])
    for rows, verdicts in zip(refinement.judged_findings.batches(["kind", "subject"]), decisions, strict=True):
        for finding, decision in zip(rows.to_pylist(), verdicts.to_pylist(), strict=True):
            by_people = decision["who"] != "policy" and decision["verdict"] in ("yes", "no")
            if finding["kind"] == "misplaced" and by_people:
                both = (decision["verdict"], answers.get(finding["subject"]))
                answers[finding["subject"]] = "yes" if "yes" in both else "no"
    photos = refinement.photos.batches(["face_id", "key", "identity"]) if answers else ()
    return {
        row["key"]: answers[row["face_id"]]
        for rows in photos
        for row in rows.filter(rows["identity"].is_null()).to_pylist()
        if row["face_id"] in answers
    }


def find_unnamed(refinement: Refinement, *, false_alarms: float = FALSE_ALARMS) -> UnnamedPhotos:
    """The unnamed photos of a refinement that show one of its persons, and those that are duplicates."""
    model = refinement.calibration.shards[0]
    calibration = read_calibration(refinement.root, model)
    persons = first_persons(refinement.root, tuple(refinement.persons.shards), model)
    known: list[KnownFace] = []
    faces = 0
    for keys, x in read_unnamed(refinement):
        faces += len(keys)
        if len(keys) and len(persons.person):
            known += _known_faces(keys, x, persons, calibration, false_alarms)
    return UnnamedPhotos(faces, sorted(known), _duplicates(refinement, calibration))


def _known_faces(
    keys: list[str],
    x: Sequence[NDArray[np.floating]],
    persons: PersonGallery,
    calibration: Calibration,
    false_alarms: float,
) -> Iterator[KnownFace]:
    """The faces whose best match passes the threshold, by the fused score and by each embedder's own."""
    matches = best_matches(all_impostor_stats(x, calibration), persons.gallery, calibration, k=NEAREST)
    far = false_alarms / max(1, len(persons.person))
    sure = matches.fused >= threshold_at_far(calibration.fused_curve, far)
    for scores, curve in zip(matches.scores, calibration.far_curves, strict=True):
        sure &= scores >= threshold_at_far(curve, EMBEDDER_FAR)
    for match in np.flatnonzero(sure).tolist():
        person = str(persons.person[matches.row[match]])
        yield KnownFace(keys[int(matches.query[match])], person, tuple(float(s[match]) for s in matches.scores))


def _duplicates(refinement: Refinement, calibration: Calibration) -> dict[str, str]:
    """The keys of unnamed photos that are duplicates, each with the key of the original, the first key of the group."""
    embeddings = tuple(t.shards for t in refinement.embeddings)
    shards = FaceShards(refinement.faces.shards, refinement.copies.shards, embeddings)
    rule = SamePictureRule(CANDIDATE_FAR, refinement.thresholds["same_picture"])
    pairs = unnamed_duplicates(refinement.root, shards, calibration, rule)
    ids = sorted({face for pair in pairs for face in pair})
    key: dict[str, str] = {}
    for rows in refinement.photos.batches(["face_id", "key"]) if ids else ():
        wanted = rows.filter(pc.is_in(rows["face_id"], value_set=pa.array(ids)))
        key |= dict(zip(wanted["face_id"].to_pylist(), wanted["key"].to_pylist(), strict=True))
    order = sorted(key.values())
    place = {k: i for i, k in enumerate(order)}
    edges = np.array([[place[key[face]] for face in pair] for pair in pairs], np.int64).reshape(-1, 2)
    first = components(len(order), edges[:, 0], edges[:, 1]).tolist()
    return {order[i]: order[f] for i, f in enumerate(first) if f != i}


def read_unnamed(refinement: Refinement) -> Iterator[tuple[list[str], list[NDArray[np.floating]]]]:
    """Keys [n] and each embedder's embeddings [n, d] of the unnamed photos with a face, shard by shard."""
    tables = (refinement.photos, *refinement.embeddings)
    for photos, *embeddings in zip(*(t.shards for t in tables), strict=True):
        rows = read_shard(refinement.root, photos, ["key", "identity"])
        columns = [vectors(read_shard(refinement.root, shard, ["x"])["x"]) for shard in embeddings]
        unnamed = np.logical_and.reduce([np.asarray(rows["identity"].is_null()), *(valid for _, valid in columns)])
        if unnamed.any():
            yield rows["key"].filter(pa.array(unnamed)).to_pylist(), [x[unnamed] for x, _ in columns]
