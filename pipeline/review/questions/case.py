"""One thing worth asking people about, before it is put on a page."""

from dataclasses import dataclass
from typing import Literal

from pipeline.review.questions.finding_ref import FindingRef, outlier_ref
from pipeline.review.questions.question import GRID, Verdict

Purpose = Literal["case", "audit", "gold"]


@dataclass(frozen=True)
class Case:
    """A finding that people may be asked about, what an answer to it is worth, and what the machine thinks of it."""

    finding: FindingRef
    page: str  # GRID or PAIR
    identity: str  # the identity on whose page it stands
    machine_verdict: str  # yes, no or unsure: the policy's
    explanation: str  # of the machine's score, for annotators
    error_probability: float  # that what happens to the photos without an answer is wrong
    photos: int  # whose labels hang on the answer
    belief: float  # the machine's probability that the finding holds
    same_means: str = "no"  # the verdict on the finding when people answer "the same person"
    purpose: Purpose = "case"
    expected: Verdict | None = None  # of a gold question: the known verdict
    further_findings: tuple[FindingRef, ...] = ()  # that the same answer decides

    @property
    def id(self) -> str:
        """The finding's id, by which the case is known on pages and in the ledger."""
        return self.finding.finding_id

    @property
    def findings(self) -> tuple[FindingRef, ...]:
        """All findings that the answer decides, the case's own first."""
        return (self.finding, *self.further_findings)


def outlier_case(
    face: str, identity: str, *, machine_verdict: str, explanation: str, error_probability: float, belief: float
) -> Case:
    """The case of one photo: does it show the person of its claimed identity?"""
    return Case(outlier_ref(face, identity), GRID, identity, machine_verdict, explanation, error_probability, 1, belief)
