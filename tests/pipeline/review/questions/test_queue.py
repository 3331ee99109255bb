"""The queue: pages that correct most photos for each second come first; a budget limits the cases."""

import pytest

from pipeline.review.answers.ledger import append, read
from pipeline.review.questions.question import GRID, PAIR
from pipeline.review.questions.queue import (
    CELLS_PER_PAGE,
    DEFAULT_ANSWER_SECONDS,
    PAGE_SECONDS,
    answer_seconds,
    build_queue,
    expected_corrections,
    within_budget,
)
from tests.builders.tables.ledger_rows import row

SECONDS = DEFAULT_ANSWER_SECONDS


def test_the_queue_puts_first_what_corrects_most_for_a_second(drawn_cases):
    queue = build_queue(drawn_cases, SECONDS, min_error_probability=0.0)
    per_second = [
        sum(map(expected_corrections, p.cases)) / (PAGE_SECONDS + sum(SECONDS[c.page] for c in p.cases)) for p in queue
    ]
    assert per_second == sorted(per_second, reverse=True)
    assert per_second == pytest.approx([p.corrections_per_second for p in queue])
    assert sorted(c.id for p in queue for c in p.cases) == sorted(c.id for c in drawn_cases)
    assert all(len(p.cases) <= CELLS_PER_PAGE and len({c.identity for c in p.cases}) == 1 for p in queue)


def test_a_budget_cuts_the_queue_and_what_is_answered_makes_room(drawn_cases):
    queue = build_queue(drawn_cases, SECONDS, min_error_probability=0.0)
    first = within_budget(queue, SECONDS, answered=(), budget=5)
    assert len(first) == 5
    later = within_budget(queue, SECONDS, answered={first[0].id}, budget=5)
    assert later[:4] == first[1:]
    assert within_budget(queue, SECONDS, answered=(), budget=0) == []
    minute = within_budget(queue, SECONDS, answered=(), budget=10**6, minutes=1)
    pages = {(c.page, c.identity) for c in minute}
    seconds = sum(SECONDS[c.page] for c in minute) + PAGE_SECONDS * len(pages)
    assert 60 - PAGE_SECONDS - 8 < seconds <= 60


def test_seconds_are_measured_once_there_are_enough_answers(tmp_path):
    append(str(tmp_path), [row(f"{i}", "no", "w", choice="same", seconds=1.5) for i in range(40)])
    append(str(tmp_path), [row(f"m{i}", "no", "w", choice="different", kind="merge", seconds=20.0) for i in range(29)])
    append(str(tmp_path), [row(f"x{i}", "yes", "w", choice="different", kind="mixed", seconds=90.0) for i in range(40)])
    assert answer_seconds(read(str(tmp_path))) == {**SECONDS, GRID: 1.5}
    append(str(tmp_path), [row("split", "no", "w", choice="same", kind="split", seconds=20.0)])
    assert answer_seconds(read(str(tmp_path))) == {**SECONDS, GRID: 1.5, PAIR: 20.0}


def test_audited_photos_are_answered_on_grids_whatever_their_finding(tmp_path):
    audited = [row(f"{i}", "no", "w", choice="same", kind="misplaced", purpose="audit", seconds=2.0) for i in range(40)]
    append(str(tmp_path), audited)
    assert answer_seconds(read(str(tmp_path))) == {**SECONDS, GRID: 2.0}
