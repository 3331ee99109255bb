"""What the findings of a refinement refer to: persons, and the faces that findings name, small enough for memory."""

from typing import NamedTuple

import pyarrow as pa

from pipeline.refinement import Refinement
from pipeline.review.questions.finding_ref import FindingRef
from pipeline.review.questions.persons import PersonRecord, read_person_records
from pipeline.tables.face_rows import rows_of_faces

UNANSWERABLE_REASONS = ("duplicate", "unreadable", "no_face", "poor", "unnamed", "overlap")  # that no answer changes


class FindingContext(NamedTuple):
    """Persons by name, and for each face that a finding names its identity, its cluster and why it was removed."""

    persons: dict[str, PersonRecord]
    identity: dict[str, str]  # claimed
    cluster: dict[str, int]  # -1: outside any
    reason: dict[str, str]  # of removal; "" for a photo that is kept
    size_by_medoid: dict[str, int]  # photos of each person, by its middle face

    def page_identity(self, finding: FindingRef) -> str:
        """The identity on whose page a finding stands; an unnamed photo's is the one that it may belong to."""
        subject = finding.subject
        unnamed = finding.kind == "misplaced" and not self.identity.get(subject)
        if finding.kind == "outlier" or unnamed:
            return str(finding.object)
        if subject in self.persons:
            return self.persons[subject].identity
        return self.identity.get(subject) or subject

    def photos_at_stake(self, finding: FindingRef) -> int:
        """How many photos' labels hang on an answer to a finding."""
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
        return person.of_identity if finding.kind == "mixed" else person.size

    def fixed(self, face: str | None) -> bool:
        """Whether a photo was removed for a reason that no answer changes."""
        return self.reason.get(face or "") in UNANSWERABLE_REASONS


def read_context(refinement: Refinement, findings: pa.Table) -> FindingContext:
    """What these findings refer to, gathered shard by shard."""
    persons = read_person_records(refinement)
    named = {n for column in ("subject", "object") for n in findings[column].to_pylist() if n}
    identity, cluster, reason = {}, {}, {}
    for face, claimed, number in rows_of_faces(refinement.clusters, named, ("face_id", "identity", "cluster")):
        identity[face], cluster[face] = claimed, -1 if number is None else number
    for face, kept_as, removal in rows_of_faces(refinement.labels, named, ("face_id", "identity", "reason")):
        reason[face] = "" if kept_as else removal
    sizes = {p.medoid: p.size for p in persons.values()}
    return FindingContext(persons, identity, cluster, reason, sizes)
