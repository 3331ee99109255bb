"""The time of new answers in the ledger: of several answers to one question the last one counts."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pipeline.review.answers.ledger import CLOCK_STEP, LedgerRow


def next_answer_time(rows: Iterable[LedgerRow], *, prefix: str) -> datetime:
    """Now, or later: just after the last answer whose answer_id begins with `prefix`; rows: of the whole ledger."""
    earlier = [r.at for r in rows if r.answer_id.startswith(prefix) and r.at is not None]
    return max([datetime.now(UTC), *(at + CLOCK_STEP for at in earlier)])
