"""The machine's verdict and belief on the cases that people are asked about, as rows of the ledger.

The belief is the prior of people's votes (see votes); later, people's answers can be compared with the verdicts.
"""

from collections.abc import Iterable

from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.questions.case import Case


def machine_views(cases: Iterable[Case], *, answer_id: str) -> list[LedgerRow]:
    """One row for each finding of these cases but gold questions; answer_id: names the decisions table in force."""
    return [
        LedgerRow(ref, case.machine_verdict, "policy", "policy", answer_id, belief=case.belief)
        for case in cases
        if case.purpose != "gold"
        for ref in case.findings
    ]
