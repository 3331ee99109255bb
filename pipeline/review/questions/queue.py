"""The order in which people are asked: photos corrected for each second of theirs, cut to a budget.

A page costs time before its first answer, so suspects of one name share a page as long as another one adds more than it
takes from the average; what is left makes a later page.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.review.questions.cases import Case
from pipeline.review.questions.question import GRID, PAIR

BAND = 0.02  # a finding less likely to be wrong than this is not asked about: 50 answers would correct one photo
CELLS = 20  # on a page
PAGE = 5.0  # seconds that a page takes before its first answer: to see who it is about
GUESSED = {GRID: 3.0, PAIR: 8.0}  # seconds an answer, before any is measured
MEASURED = 30  # answers from which on the measured seconds are believed


class Page(NamedTuple):
    """Cases that are asked on one page, and photos corrected for each second of it."""

    cases: tuple[Case, ...]
    worth: float


def seconds(ledger: pa.Table) -> dict[str, float]:
    """Seconds an answer takes on each kind of page: the median of those given, where there are enough of them."""
    grid = pc.is_in(ledger["choice"], value_set=pa.array(["same", "other", "unusable", "unsure"]))
    pair = pc.and_(pc.invert(grid), pc.is_valid(ledger["choice"]))
    kinds = {GRID: pc.and_(grid, pc.equal(ledger["kind"], "outlier")), PAIR: pair}
    found = dict(GUESSED)
    for page, mask in kinds.items():
        taken = ledger.filter(mask)["seconds"].drop_null().to_numpy()
        if len(taken) >= MEASURED:
            found[page] = float(max(np.median(taken), 0.1))
    return found


def pages(cases: Iterable[Case], cost: Mapping[str, float], *, band: float = BAND) -> list[Page]:
    """The pages on which all cases in the uncertain band are asked, the most worthwhile first."""
    grids: dict[str, list[Case]] = defaultdict(list)
    made = []
    for case in cases:
        if case.wrong < band:
            continue
        if case.page == GRID:
            grids[case.identity].append(case)
        else:
            made.append(Page((case,), gain(case) / (PAGE + cost[PAIR])))
    for some in grids.values():
        made += _grids(sorted(some, key=lambda c: (-gain(c), c.about["finding_id"])), cost[GRID])
    return sorted(made, key=lambda p: (-p.worth, p.cases[0].about["finding_id"]))


def gain(case: Case) -> float:
    """Photos that an answer is expected to correct."""
    return case.wrong * case.photos


def _grids(cases: Sequence[Case], cost: float) -> list[Page]:
    """One name's suspects on as many pages as they are worth, best first."""
    found, rest = [], list(cases)
    while rest:
        total = np.cumsum([gain(c) for c in rest[:CELLS]])
        worth = total / (PAGE + cost * np.arange(1, len(total) + 1))
        n = int(worth.argmax()) + 1
        found.append(Page(tuple(rest[:n]), float(worth[n - 1])))
        rest = rest[n:]
    return found


def cut(
    queue: Sequence[Page], cost: Mapping[str, float], *, answered: Collection[str], budget: int, minutes: float = 0.0
) -> list[Case]:
    """The best cases of a queue within a budget, those that are answered left out.

    budget: cases, waiting ones included; minutes: of annotators' time, 0 for no such limit. A page is taken as far as
    the budget goes.
    """
    found: list[Case] = []
    left = minutes * 60 if minutes else float("inf")
    for page in queue:
        for case in [c for c in page.cases if c.about["finding_id"] not in answered]:
            price = cost[case.page] + (PAGE if case is page.cases[0] else 0.0)
            if len(found) >= budget or price > left:
                return found
            found.append(case)
            left -= price
    return found
