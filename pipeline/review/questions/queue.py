"""The order in which people are asked: by photos corrected for each second of theirs, cut to a budget.

A page costs time before its first answer, so suspects of one identity share a page as long as another one raises the
page's corrections per second; the rest make a later page.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.review.questions.case import Case
from pipeline.review.questions.question import CHOICES, GRID, PAIR

MIN_ERROR_PROBABILITY = 0.02  # below, a case is not asked about: 50 answers would correct one photo
CELLS_PER_PAGE = 20
PAGE_SECONDS = 5.0  # that a page takes before its first answer: to see who it is about
DEFAULT_ANSWER_SECONDS = {GRID: 3.0, PAIR: 8.0}  # by page, before any is measured
MIN_MEASURED_ANSWERS = 30  # from which on the measured seconds count


class QueuedPage(NamedTuple):
    """Cases that are asked about on one page, and the photos expected to be corrected for each second of it."""

    cases: tuple[Case, ...]
    corrections_per_second: float


def answer_seconds(ledger: pa.Table) -> dict[str, float]:
    """Seconds that an answer takes on each kind of page: the median of the ledger's where there are enough of them."""
    grid = pc.is_in(ledger["choice"], value_set=pa.array(CHOICES[GRID]))
    pair = pc.and_(pc.invert(grid), pc.is_valid(ledger["choice"]))
    on_page = {GRID: pc.and_(grid, pc.equal(ledger["kind"], "outlier")), PAIR: pair}
    seconds = dict(DEFAULT_ANSWER_SECONDS)
    for page, mask in on_page.items():
        measured = ledger.filter(mask)["seconds"].drop_null().to_numpy()
        if len(measured) >= MIN_MEASURED_ANSWERS:
            seconds[page] = float(max(np.median(measured), 0.1))
    return seconds


def build_queue(
    cases: Iterable[Case],
    seconds: Mapping[str, float],
    *,
    min_error_probability: float = MIN_ERROR_PROBABILITY,
) -> list[QueuedPage]:
    """The pages on which all uncertain cases are asked about, the most worthwhile first.

    seconds: that an answer takes, by kind of page; min_error_probability: below it a case is certain enough.
    """
    by_identity: dict[str, list[Case]] = defaultdict(list)
    queue = []
    for case in cases:
        if case.error_probability < min_error_probability:
            continue
        if case.page == GRID:
            by_identity[case.identity].append(case)
        else:
            queue.append(QueuedPage((case,), expected_corrections(case) / (PAGE_SECONDS + seconds[PAIR])))
    for suspects in by_identity.values():
        queue += _grid_pages(sorted(suspects, key=lambda c: (-expected_corrections(c), c.id)), seconds[GRID])
    return sorted(queue, key=lambda p: (-p.corrections_per_second, p.cases[0].id))


def expected_corrections(case: Case) -> float:
    """The number of photos that an answer is expected to correct."""
    return case.error_probability * case.photos


def _grid_pages(suspects: Sequence[Case], seconds: float) -> list[QueuedPage]:
    """One identity's suspects, best first, on as many pages as they are worth."""
    pages, rest = [], list(suspects)
    while rest:
        total = np.cumsum([expected_corrections(c) for c in rest[:CELLS_PER_PAGE]])
        per_second = total / (PAGE_SECONDS + seconds * np.arange(1, len(total) + 1))
        n = int(per_second.argmax()) + 1
        pages.append(QueuedPage(tuple(rest[:n]), float(per_second[n - 1])))
        rest = rest[n:]
    return pages


def within_budget(
    queue: Sequence[QueuedPage],
    seconds: Mapping[str, float],
    *,
    answered: Collection[str],
    budget: int,
    minutes: float = 0.0,
) -> list[Case]:
    """The best cases of a queue within a budget, those that are answered left out.

    seconds: that an answer takes, by kind of page; budget: cases, waiting ones included; minutes: of annotators' time,
    0 for no such limit. A page is taken as far as the budget goes.
    """
    chosen: list[Case] = []
    left = minutes * 60 if minutes else float("inf")
    for page in queue:
        for case in [c for c in page.cases if c.id not in answered]:
            cost = seconds[case.page] + (PAGE_SECONDS if case is page.cases[0] else 0.0)
            if len(chosen) >= budget or cost > left:
                return chosen
            chosen.append(case)
            left -= cost
    return chosen
