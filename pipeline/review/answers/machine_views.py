"""The machine's verdict and belief on the cases that people are asked about, as rows of the ledger.

The belief is the prior of people's votes (see votes); later, people's answers can be compared with the verdicts.
"""

from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.questions.case import Case


def machine_views(cases: Iterable[Case], *, answer_id: str, known: Collection[str] = ()) -> list[LedgerRow]:
    """One row for each finding of these cases, but those of gold questions and those that are known.

    answer_id: names the decisions table in force; known: finding_ids on which the ledger has the machine's belief. The
    belief at the time when people were first asked stays the prior of their votes: the same answers give the same
    verdicts, however often the question is logged.
    """
    views: dict[str, LedgerRow] = {}  # of two cases with one finding the first counts
    for case in cases:
        for ref in case.findings if case.purpose != "gold" else ():
            if ref.finding_id not in known:
                row = LedgerRow(ref, case.machine_verdict, "policy", "policy", answer_id, belief=case.belief)
                views.setdefault(ref.finding_id, row)
    return list(views.values())


def findings_with_belief(ledger: pa.Table) -> set[str]:
    """The finding_ids on which a ledger has the machine's belief; ledger: columns as LEDGER."""
    has_belief = pc.and_(pc.equal(ledger["purpose"], "policy"), ledger["belief"].is_valid())
    return set(ledger.filter(has_belief)["finding_id"].to_pylist())
