"""Photos that somebody wants annotators to judge, whatever the queue thinks of them: ROOT/asked/asked_for.json.

Their questions come first in the next rounds, until people's answers give a verdict.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from pipeline.errors import UserError
from pipeline.refinement import Refinement
from pipeline.review.questions.audit import case_of_photo
from pipeline.review.questions.case import Case
from pipeline.review.questions.finding_context import UNANSWERABLE_REASONS
from pipeline.tables import storage
from pipeline.tables.face_rows import rows_of_faces

FILE = "asked/asked_for.json"
WANTED = 0.5  # in place of the probability that the labels are wrong: as if nothing was known about the photo


def asked_for(root: str) -> list[str]:
    """The face_ids of these photos."""
    faces = (storage.get_json(root, FILE) or {}).get("faces", [])
    if not isinstance(faces, list) or not all(isinstance(face, str) for face in faces):
        raise UserError(f"{root}/{FILE} is damaged: remove it, and mark the photos once more")
    return faces


def ask_for(root: str, faces: Collection[str]) -> int:
    """Add photos by face_id, and return how many were not among them yet."""
    before = asked_for(root)
    new = sorted(set(faces).difference(before))
    if new:
        storage.put_json(root, FILE, {"faces": [*before, *new]})
    return len(new)


def no_longer_ask_for(root: str, faces: Collection[str]) -> None:
    """Take photos out by face_id, as those of an erased person; without any photo left the file is removed."""
    before = asked_for(root)
    left = [face for face in before if face not in faces]
    if before and not left:
        storage.remove(root, FILE)
    elif left != before:
        storage.put_json(root, FILE, {"faces": left})


def cases_asked_for(refinement: Refinement, candidates: Sequence[Case]) -> list[Case]:
    """The cases about these photos: those that exist anyway, and for other photos whether each shows its identity.

    candidates: all cases of the refinement. Photos that no answer can change (a duplicate, no face) have none.
    """
    faces = set(asked_for(refinement.root))
    if not faces:
        return []
    cases = [c for c in candidates if faces.intersection((c.finding.subject_face, c.finding.object_face))]
    known = {face for c in cases for face in (c.finding.subject_face, c.finding.object_face)}
    columns = ("face_id", "claimed", "identity", "reason")
    for face, claimed, identity, reason in rows_of_faces(refinement.labels, faces - known, columns):
        if claimed is not None and (identity is not None or reason not in UNANSWERABLE_REASONS):
            cases.append(replace(case_of_photo(face, claimed, identity or claimed, reason), purpose="case"))
    return [replace(c, error_probability=max(c.error_probability, WANTED)) for c in cases]
