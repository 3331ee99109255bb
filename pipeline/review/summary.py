"""The summary of a review for the data card of an export: who decided, and the noise left."""

from pipeline.refined.review_summary import NoiseEstimate, ReviewSummary
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import DECISIVE_PURPOSES, settle
from pipeline.review.questions.audit import current_audit, estimate_noise


def summarize_review(root: str) -> ReviewSummary:
    """The summary of the review in a root; it is empty when the root had no review."""
    rows = ledger.rows_of(ledger.read(root))
    purposes = {row.who: row.purpose for row in rows}  # where one name has several purposes, the last one counts
    return ReviewSummary(
        {who: p for who, p in purposes.items() if p in DECISIVE_PURPOSES},
        noise_left(root),
        frozenset(row.finding.finding_id for row in rows if row.purpose in ("case", "audit")),
    )


def noise_left(root: str) -> NoiseEstimate | None:
    """The current audit's estimate of the noise left among kept photos; None before people judged an audited photo."""
    verdicts = settle(ledger.read(root), votes=ledger.votes_wanted(root)).verdicts
    return estimate_noise(current_audit(root), verdicts)
