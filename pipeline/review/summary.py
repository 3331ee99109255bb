"""A review summed up for the data card of an export, which knows of reviews only these numbers."""

from pipeline.refined.review_summary import NoiseEstimate, ReviewSummary
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import DECIDE_ALONE, settle
from pipeline.review.questions.audit import current_audit, estimate_noise


def summarize_review(root: str) -> ReviewSummary:
    """The summary of the review in a root; of one that never began, an empty one."""
    rows = ledger.rows_of(ledger.read(root))
    sources = {row.who: row.purpose for row in rows}  # of a name with several purposes the last counts
    return ReviewSummary({who: p for who, p in sources.items() if p in DECIDE_ALONE}, noise_left(root))


def noise_left(root: str) -> NoiseEstimate | None:
    """What the current audit says of the noise that is left; None before anybody judged a photo of it."""
    verdicts = settle(ledger.read(root), votes=ledger.votes_wanted(root)).verdicts
    return estimate_noise(current_audit(root).wrong_verdicts, verdicts)
