"""A reference to a finding that stays valid in later runs: its subject and object, and one face of each.

A further person of an identity is named after its medoid, which another model may choose differently, and clusters
change from run to run. The id of a face is the same in every run, so an answer is stored with faces, too.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.schema import finding_id

REF_COLUMNS = ("finding_id", "kind", "subject", "object", "face", "other")  # the ledger's, in FindingRef's order
# by kind of finding: whether the subject and whether the object is a face; otherwise it is a person or an identity
SIDES_ARE_FACES = {
    "outlier": (True, False),
    "misplaced": (True, False),
    "split": (True, True),
    "duplicate": (True, True),
    "conflict": (True, True),
    "poor": (True, False),
}


class FindingRef(NamedTuple):
    """A finding's id, kind, subject and object, and a face_id of either at the time when people were asked."""

    finding_id: str
    kind: str
    subject: str
    object: str | None
    subject_face: str | None
    object_face: str | None

    def columns(self) -> dict[str, str | None]:
        """The values by column name, as the ledger and the question log store them."""
        return dict(zip(REF_COLUMNS, self, strict=True))


def finding_ref(kind: str, subject: str, object: str | None, medoids: Mapping[str, str]) -> FindingRef:
    """The reference to a finding; medoids: the face_id of each person's medoid, by the person's name."""
    subject_is_face, object_is_face = SIDES_ARE_FACES.get(kind, (False, False))
    subject_face = subject if subject_is_face else medoids.get(subject, subject)
    object_face = object if object_is_face else medoids.get(object or "")
    return FindingRef(finding_id(kind, subject, object), kind, subject, object, subject_face, object_face)


def outlier_ref(face: str, identity: str) -> FindingRef:
    """The reference to the finding that a photo does not show the person of its claimed identity."""
    return finding_ref("outlier", face, identity, {})
