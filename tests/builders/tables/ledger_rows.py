"""Answers as rows of a ledger, for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.questions.finding_ref import FindingRef

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(
    finding_id: str,
    verdict: str,
    annotator: str,
    *,
    at: float = 0,
    kind: str = "outlier",
    subject: str = "face",
    object: str | None = "name",
    purpose: str = "case",
    **columns: Any,
) -> LedgerRow:
    """One annotator's answer; at: seconds after START; columns: other columns of the ledger."""
    ref = FindingRef(finding_id, kind, subject, object, None, None)
    all_columns = {"answer_id": f"{annotator}/{finding_id}", "seconds": 2.0, **columns}
    return LedgerRow(ref, verdict, annotator, purpose, at=START + timedelta(seconds=at), **all_columns)
