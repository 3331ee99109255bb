"""A case: a finding that people may be asked about, before it is put on a page."""

from dataclasses import dataclass
from typing import Literal

from pipeline.review.questions.finding_ref import FindingRef, outlier_ref
from pipeline.review.questions.question import GRID, Verdict

Purpose = Literal["case", "audit", "gold"]


@dataclass(frozen=True)
class Case:
    """A finding that people may be asked about, the machine's view of it, and what an answer would change.

    The answer is expected to correct error_probability * photos labels.
    """

    finding: FindingRef
    page: str  # one of KINDS
    identity: str  # the identity on whose page people are asked
    machine_verdict: str  # the policy's verdict: yes, no or unsure
    explanation: str  # the machine's score in words, for annotators
    error_probability: float  # probability that the labels are wrong if nobody answers
    photos: int  # number of photos whose labels depend on the answer
    belief: float  # the machine's probability that the finding holds
    same_means: str = "no"  # the verdict on the finding when people answer "the same person"
    purpose: Purpose = "case"
    expected: Verdict | None = None  # the known verdict of a gold question
    further_findings: tuple[FindingRef, ...] = ()  # other findings that the same answer decides

    @property
    def id(self) -> str:
        """The finding_id of the case's finding: pages and the ledger use it as the id of the case."""
        return self.finding.finding_id

    @property
    def findings(self) -> tuple[FindingRef, ...]:
        """All findings that the answer decides, `finding` first."""
        return (self.finding, *self.further_findings)


def outlier_case(
    face: str, identity: str, *, machine_verdict: str, explanation: str, error_probability: float, belief: float
) -> Case:
    """The case whether one photo shows the person of an identity; face: face_id."""
    return Case(outlier_ref(face, identity), GRID, identity, machine_verdict, explanation, error_probability, 1, belief)
