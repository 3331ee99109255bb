"""The agreement of annotators: Krippendorff's alpha (Content Analysis, 2004); 1 is full agreement, 0 is chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import krippendorff
import numpy as np
import pyarrow as pa

from pipeline.review.answers.ledger import PEOPLES_PURPOSES, LedgerRow, rows_of
from pipeline.review.answers.votes import accuracies, voter
from pipeline.review.questions.question import NOBODY

DELETED = "deleted accounts"  # in place of the name of annotators whose accounts were deleted
CODES = {"no": 0, "yes": 1, "unsure": 2}  # numbers for the verdicts, whose order means nothing (nominal data)


@dataclass(frozen=True)
class Agreement:
    """The agreement within a group of annotators, or of one annotator with the others."""

    name: str  # of the group, or of the annotator
    answers: int  # of several of one annotator to a finding the last counts
    shared: int  # findings with answers of two annotators or more
    alpha: float | None  # None: fewer than two shared findings
    gold: int = 0  # gold questions that the annotator answered
    accuracy: float | None = None  # the annotator's accuracy, by which votes are weighted
    seconds: float | None = None  # that an answer takes, on average; None: not measured


def by_group(ledger: pa.Table) -> list[Agreement]:
    """The agreement within each group of annotators; ledger: columns as LEDGER."""
    rows = _about_data(rows_of(ledger))
    groups = sorted({r.group or "" for r in rows})
    return [_agreement(g, [r for r in rows if (r.group or "") == g]) for g in groups]


def by_annotator(ledger: pa.Table) -> list[Agreement]:
    """The agreement of each annotator with those who answered the same questions; ledger: columns as LEDGER.

    All deleted accounts have one record: whose answers were whose is not known any more.
    """
    all_rows = rows_of(ledger)
    rows = _about_data(all_rows)
    agreements = []
    for annotator, accuracy in sorted(accuracies(all_rows).items()):
        answered = {(r.finding.finding_id, voter(r)) for r in rows if r.who == annotator}
        findings = {finding for finding, _ in answered}
        own = {
            (r.finding.finding_id, voter(r)): r
            for r in all_rows
            if r.who == annotator and r.purpose in PEOPLES_PURPOSES
        }
        gold = sum(r.purpose == "gold" for r in own.values())
        times = [r.seconds for r in own.values() if r.seconds is not None]
        name = DELETED if annotator == NOBODY else annotator
        with_others = _agreement(name, [r for r in rows if r.finding.finding_id in findings])
        agreements.append(
            replace(
                with_others,
                answers=len(answered),
                gold=gold,
                accuracy=accuracy,
                seconds=sum(times) / len(times) if times else None,
            )
        )
    return agreements


def _about_data(rows: Sequence[LedgerRow]) -> list[LedgerRow]:
    """The answers about the data, without those to gold questions; of a second submission only the later counts."""
    return list({(r.finding.finding_id, voter(r)): r for r in rows if r.purpose in ("case", "audit")}.values())


def _agreement(name: str, rows: Sequence[LedgerRow]) -> Agreement:
    annotators = {name: i for i, name in enumerate(sorted({voter(r) for r in rows}))}
    findings = {finding_id: i for i, finding_id in enumerate(sorted({r.finding.finding_id for r in rows}))}
    codes = np.full((len(annotators), len(findings)), np.nan)
    for r in rows:
        codes[annotators[voter(r)], findings[r.finding.finding_id]] = CODES[r.verdict]
    is_shared = (np.isfinite(codes).sum(0) > 1) if len(rows) else np.zeros(0, bool)
    shared = codes[:, is_shared]
    alpha = None
    if is_shared.sum() > 1 and len(np.unique(shared[np.isfinite(shared)])) > 1:
        alpha = float(krippendorff.alpha(reliability_data=shared, level_of_measurement="nominal"))
    elif is_shared.sum() > 1:  # all answers are equal: alpha would divide by zero
        alpha = 1.0
    return Agreement(name, len(rows), int(is_shared.sum()), alpha)
