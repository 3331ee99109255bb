"""The queue of pages, ordered by the photos that a page is expected to correct for each second it takes people.

Every page takes some seconds before its first answer. So suspects of one identity share a page, the best first, as long
as one more suspect raises the page's corrections per second; the others go to a later page.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.review.questions.case import Case
from pipeline.review.questions.question import GRID, MIXED, PAGE_OF_KIND, PAIR

MIN_ERROR_PROBABILITY = 0.02  # cases below this are not asked about: it would take 50 answers to correct one photo
CELLS_PER_PAGE = 20
PAGE_SECONDS = 5.0  # time that a page takes before its first answer: annotators look at the person
# by kind of page, as long as too few answers were measured; those to mixed pages are not measured
DEFAULT_ANSWER_SECONDS = {GRID: 3.0, PAIR: 8.0, MIXED: 8.0}
MIN_MEASURED_ANSWERS = 30  # with fewer answers of a kind of page the default is used


class QueuedPage(NamedTuple):
    """The cases of one page, and how many photos the page is expected to correct for each second that it takes."""

    cases: tuple[Case, ...]
    corrections_per_second: float


def answer_seconds(ledger: pa.Table) -> dict[str, float]:
    """The seconds that an answer takes, by kind of page: the median over the ledger, or the default for few answers.

    ledger: columns as LEDGER.
    """
    answered, kind = pc.is_valid(ledger["choice"]), ledger["kind"]
    audited = pc.fill_null(pc.equal(ledger["purpose"], "audit"), False)  # on grids, whatever the finding
    of_pair = pc.invert(pc.or_(audited, pc.is_in(kind, value_set=pa.array(list(PAGE_OF_KIND)))))
    on_page = {
        GRID: pc.and_(answered, pc.or_(audited, pc.equal(kind, "outlier"))),
        PAIR: pc.and_(answered, of_pair),
    }
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
    """The pages of all uncertain cases, the one with most corrections per second first.

    seconds: the time that an answer takes, by kind of page; min_error_probability: cases below it are left out.
    """
    by_identity: dict[str, list[Case]] = defaultdict(list)
    queue = []
    for case in cases:
        if case.error_probability < min_error_probability:
            continue
        if case.page == GRID:
            by_identity[case.identity].append(case)
        else:
            queue.append(QueuedPage((case,), expected_corrections(case) / (PAGE_SECONDS + seconds[case.page])))
    for suspects in by_identity.values():
        queue += _grid_pages(sorted(suspects, key=lambda c: (-expected_corrections(c), c.id)), seconds[GRID])
    return sorted(queue, key=lambda p: (-p.corrections_per_second, p.cases[0].id))


def expected_corrections(case: Case) -> float:
    """The number of photos that an answer to a case is expected to correct."""
    return case.error_probability * case.photos


def _grid_pages(suspects: Sequence[Case], seconds: float) -> list[QueuedPage]:
    """The pages of one identity's suspects; each page has as many as give it most corrections per second.

    suspects: those with most expected corrections first; seconds: the time that an answer takes.
    """
    pages, waiting = [], list(suspects)
    while waiting:
        corrections = np.cumsum([expected_corrections(c) for c in waiting[:CELLS_PER_PAGE]])
        per_second = corrections / (PAGE_SECONDS + seconds * np.arange(1, len(corrections) + 1))
        n = int(per_second.argmax()) + 1
        pages.append(QueuedPage(tuple(waiting[:n]), float(per_second[n - 1])))
        waiting = waiting[n:]
    return pages


def within_budget(
    queue: Sequence[QueuedPage],
    seconds: Mapping[str, float],
    *,
    answered: Collection[str],
    budget: int,
    minutes: float = 0.0,
) -> list[Case]:
    """The first unanswered cases of a queue that a budget pays for; the last page may be cut.

    seconds: the time that an answer takes, by kind of page; answered: ids of answered cases; budget: the greatest
    number of cases, those that wait since an earlier round included; minutes: of annotators' time, 0 for no limit.
    """
    chosen: list[Case] = []
    seconds_left = minutes * 60 if minutes else float("inf")
    for page in queue:
        for case in [c for c in page.cases if c.id not in answered]:
            cost = seconds[case.page] + (PAGE_SECONDS if case is page.cases[0] else 0.0)
            if len(chosen) >= budget or cost > seconds_left:
                return chosen
            chosen.append(case)
            seconds_left -= cost
    return chosen
