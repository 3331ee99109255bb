"""What is known about the subjects and objects of findings: persons by name, and faces by face_id.

Only the persons and the faces that findings name are held in memory.
"""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refinement import Refinement
from pipeline.review.questions.finding_ref import FindingRef
from pipeline.review.questions.persons import PersonRecord, read_person_records
from pipeline.tables.face_rows import rows_of_faces

# reasons of removal that no answer about the person in a photo changes
UNANSWERABLE_REASONS = ("erased", "duplicate", "unreadable", "no_face", "poor", "unnamed", "overlap")


class FindingContext(NamedTuple):
    """Persons by name, and the claimed identity, the cluster and the reason of removal of each face in a finding."""

    persons: dict[str, PersonRecord]
    claimed_identity: dict[str, str]  # by face_id
    cluster: dict[str, int]  # by face_id; -1: in no cluster
    removal_reason: dict[str, str]  # by face_id; "" for a photo that is kept
    size_by_medoid: dict[str, int]  # number of photos of each person, by the face_id of its medoid

    def page_identity(self, finding: FindingRef) -> str:
        """The identity on whose page people are asked about a finding.

        For a photo without a claimed identity it is the identity that the photo may belong to.
        """
        subject = finding.subject
        unnamed = finding.kind == "misplaced" and not self.claimed_identity.get(subject)
        if finding.kind == "outlier" or unnamed:
            return str(finding.object)
        if subject in self.persons:
            return self.persons[subject].identity
        return self.claimed_identity.get(subject) or subject

    def photos_at_stake(self, finding: FindingRef) -> int:
        """The number of photos whose labels depend on the answer to a finding."""
        if finding.kind in ("outlier", "misplaced"):
            return 1
        if finding.kind == "split":
            return self.size_by_medoid.get(finding.object or "", 1)
        if finding.kind == "merge":
            sides = (finding.subject, finding.object or "")
            return min((self.persons[s].size for s in sides if s in self.persons), default=1)
        person = self.persons.get(finding.subject)
        if person is None:
            return 1
        return person.photos_of_identity if finding.kind == "mixed" else person.size

    def removed_for_good(self, face: str | None) -> bool:
        """Whether a photo was removed for a reason that no answer changes (UNANSWERABLE_REASONS)."""
        return self.removal_reason.get(face or "") in UNANSWERABLE_REASONS


def read_context(refinement: Refinement, findings: pa.Table) -> FindingContext:
    """The context of these findings, read shard by shard; findings: columns as FINDINGS."""
    persons = read_person_records(refinement)
    names = {n for column in ("subject", "object") for n in findings[column].to_pylist() if n}
    claimed_identity, cluster, removal_reason = {}, {}, {}
    for face, claimed, number in rows_of_faces(refinement.clusters, names, ("face_id", "identity", "cluster")):
        claimed_identity[face], cluster[face] = claimed, -1 if number is None else number
    ids, subjects = (findings[column].to_pylist() for column in ("finding_id", "subject"))
    about_one_face = pc.is_in(findings["kind"], value_set=pa.array(["outlier", "misplaced"])).to_pylist()
    face_of_finding = {i: face for i, face, one in zip(ids, subjects, about_one_face, strict=True) if one}
    columns = ("face_id", "identity", "reason", "finding_id")
    for face, kept_identity, reason, finding in rows_of_faces(refinement.labels, names, columns):
        # a duplicate of an outlier has the outlier's reason and finding: it is asked about once
        is_duplicate = face_of_finding.get(finding, face) != face
        removal_reason[face] = "" if kept_identity else "duplicate" if is_duplicate else reason
    sizes = {p.medoid: p.size for p in persons.values()}
    return FindingContext(persons, claimed_identity, cluster, removal_reason, sizes)
