"""The machine's own view of what people are asked, as rows of the ledger.

It is where a vote begins (see votes), and what people's answers can be compared with later.
"""

from collections.abc import Iterable

from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.questions.case import Case


def machine_views(cases: Iterable[Case], *, answer_id: str) -> list[LedgerRow]:
    """One row for each finding of these cases, gold questions left out; answer_id: names the decisions in force."""
    return [
        LedgerRow(ref, case.machine_verdict, "policy", "policy", answer_id, belief=case.belief)
        for case in cases
        if case.purpose != "gold"
        for ref in case.findings
    ]
