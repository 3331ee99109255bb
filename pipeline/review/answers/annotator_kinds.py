"""One annotator's answers by kind of finding: how many, how fast, and how often they are those of others or of gold."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import pyarrow as pa

from pipeline.review.answers.agreement import DELETED
from pipeline.review.answers.ledger import PEOPLES_PURPOSES, LedgerRow, rows_of
from pipeline.review.answers.votes import voter
from pipeline.review.questions.question import NOBODY


@dataclass(frozen=True)
class KindRecord:
    """An annotator's answers about one kind of finding, or about all kinds; gold questions are counted apart."""

    kind: str  # "": all kinds
    answers: int  # findings that the annotator answered
    unsure: int  # of them with the answer "cannot tell"
    compared: int  # pairs of such an answer with another annotator's to the same finding
    same: int  # of them with the same verdict
    gold: int  # gold questions that the annotator answered by yes or no
    right: int  # of them right
    seconds: float | None  # that an answer takes, the median over all; None: not measured


def by_kind(ledger: pa.Table, annotator: str) -> list[KindRecord]:
    """An annotator's record for all kinds together, then for each kind; empty where the annotator answered nothing.

    ledger: columns as LEDGER, oldest first. annotator: by name; DELETED for the answers of all deleted accounts, which
    count as answers of as many people.
    """
    who = name_in_ledger(annotator)
    rows = [row for row in rows_of(ledger) if row.purpose in PEOPLES_PURPOSES]
    # of several answers of one annotator to a finding the last one counts
    last = {(row.finding.finding_id, voter(row), row.purpose == "gold"): row for row in rows}
    own = [row for row in last.values() if row.who == who]
    others: dict[str, list[LedgerRow]] = defaultdict(list)
    for row in last.values():
        if row.purpose != "gold":
            others[row.finding.finding_id].append(row)
    kinds = sorted({row.finding.kind for row in own})
    records = [_record(kind, [row for row in own if row.finding.kind == kind], others) for kind in kinds]
    return [_record("", own, others), *records] if own else []


def name_in_ledger(annotator: str) -> str:
    """The name of an annotator in the ledger, which for those whose accounts were deleted is another one."""
    return NOBODY if annotator == DELETED else annotator


def _record(kind: str, own: Iterable[LedgerRow], others: dict[str, list[LedgerRow]]) -> KindRecord:
    own = list(own)
    about_data = [row for row in own if row.purpose != "gold"]
    gold = [row for row in own if row.purpose == "gold" and row.verdict != "unsure"]
    pairs = [
        (row.verdict, other.verdict)
        for row in about_data
        for other in others[row.finding.finding_id]
        if voter(other) != voter(row)
    ]
    seconds = [row.seconds for row in own if row.seconds is not None]
    return KindRecord(
        kind,
        len(about_data),
        sum(row.verdict == "unsure" for row in about_data),
        len(pairs),
        sum(a == b for a, b in pairs),
        len(gold),
        sum(row.verdict == row.expected for row in gold),
        median(seconds) if seconds else None,
    )
