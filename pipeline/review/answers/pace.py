"""How long annotators take for a page, measured on the answers in a ledger."""

from collections import defaultdict
from statistics import median

import pyarrow as pa

from pipeline.review.answers.ledger import PEOPLES_PURPOSES, rows_of
from pipeline.review.questions.question import GRID, MIXED, PAGE_OF_KIND, PAIR

RECENT_PAGES = 50  # the pace is that of so many pages of a kind, the last ones
# by kind of page, as long as nobody answered one: a grid of about five photos, two sides, a dozen photos
DEFAULT_PAGE_SECONDS = {GRID: 20.0, PAIR: 13.0, MIXED: 40.0}


def seconds_per_page(ledger: pa.Table) -> dict[str, float]:
    """The seconds that a page takes, by kind of page: the median over the last RECENT_PAGES submissions, or a default.

    ledger: columns as LEDGER, oldest first.
    """
    pages: dict[str, dict[str, float]] = defaultdict(dict)
    kinds: dict[str, str] = {}
    for row in rows_of(ledger):
        if row.purpose not in PEOPLES_PURPOSES or row.seconds is None or row.finding.kind == "poor":
            continue
        submission = pages[row.answer_id]
        submission[row.finding.finding_id] = row.seconds
        # audited photos are on grids, whatever the finding about them
        kind = GRID if row.purpose == "audit" else PAGE_OF_KIND.get(row.finding.kind, PAIR)
        # a page with the question about an identity is a mixed one, although its photos have outlier findings
        kinds[row.answer_id] = MIXED if MIXED in (kind, kinds.get(row.answer_id)) else kind
    seconds = dict(DEFAULT_PAGE_SECONDS)
    for kind in seconds:
        # a pair may decide several findings at once, each with all of the page's time
        of_page = max if kind == PAIR else sum
        measured = [of_page(items.values()) for answer, items in pages.items() if kinds[answer] == kind]
        if measured:
            seconds[kind] = median(measured[-RECENT_PAGES:])
    return seconds
