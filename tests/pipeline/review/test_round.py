"""One round of questions: nothing that was sent is asked again, and the budget is kept."""

import pytest

from pipeline.review.answers import ledger
from pipeline.review.questions.asked_for import ask_for
from pipeline.review.questions.question import MIXED, PAIR
from pipeline.review.round import RoundLimits, plan_round
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.ledger_rows import row


def test_a_round_asks_nothing_twice(tmp_path):
    refinement, _ = refined(str(tmp_path))
    limits = RoundLimits(budget=30, audit=10)
    first = plan_round(refinement, (), {}, limits)
    items = [i.id for q in first.questions for i in q.question.items]
    assert items
    assert len(items) == len(set(items))
    again = plan_round(refinement, set(items), {}, limits)
    assert not [i for q in again.questions for i in q.question.items if i.id in items and q.question.page == PAIR]
    assert not [c for q in again.questions for c in q.cases if c.purpose != "gold" and c.id in items]
    assert again.wanted_items == first.wanted_items


def asked(plan):
    """The number of questions of a round; a mixed page is one."""
    return sum(1 if q.question.page == MIXED else len(q.cases) for q in plan.questions)


def test_photos_that_somebody_asked_for_come_first_until_they_have_a_verdict(tmp_path):
    refinement, _ = refined(str(tmp_path))
    labels = refinement.labels.read().to_pylist()
    kept = [label["face_id"] for label in labels if label["claimed"] == "p05" and label["identity"] == "p05"][:2]
    removed = next(label["face_id"] for label in labels if label["reason"] == "outlier")
    no_face = next(label["face_id"] for label in labels if label["reason"] == "no_face")
    assert ask_for(refinement.root, [*kept, removed, no_face]) == 4
    assert ask_for(refinement.root, kept) == 0
    plan = plan_round(refinement, (), {}, RoundLimits(budget=5, audit=0))  # a gold question may be one
    cases = [c for q in plan.questions for c in q.cases if c.purpose == "case"]
    assert {c.finding.subject for c in cases} >= {*kept, removed}
    assert {c.id for c in cases} <= plan.wanted_items
    rows = [row(c.id, "no", who, subject=c.finding.subject) for c in cases for who in ("ann", "bob", "eve")]
    ledger.append(refinement.root, rows)
    plan = plan_round(refinement, (), {}, RoundLimits(budget=5, audit=0))
    assert not {c.id for q in plan.questions for c in q.cases} & {c.id for c in cases}


@pytest.mark.parametrize("budget", [1, 7, 30, 60])
def test_a_round_asks_as_many_questions_as_the_budget_says(tmp_path, budget):
    refinement, _ = refined(str(tmp_path))
    others = asked(plan_round(refinement, (), {}, RoundLimits(budget=budget, audit=0)))
    plan = plan_round(refinement, (), {}, RoundLimits(budget=budget))
    assert asked(plan) == budget
    audit = sum(c.purpose == "audit" for q in plan.questions for c in q.cases)
    assert audit <= max(0.4 * budget, budget - others), "more only where other cases are too few"


def test_questions_that_wait_are_part_of_the_budget(tmp_path):
    refinement, _ = refined(str(tmp_path))
    first = plan_round(refinement, (), {}, RoundLimits(budget=20))
    items = {i.id for q in first.questions for i in q.question.items}
    gold = sum(c.purpose == "gold" for q in first.questions for c in q.cases)
    assert asked(plan_round(refinement, items, {}, RoundLimits(budget=20), waiting_gold=gold)) == 0
    more = plan_round(refinement, items, {}, RoundLimits(budget=26), waiting_gold=gold)
    assert 0 < asked(more) <= 6


def test_a_page_that_is_finished_without_a_verdict_is_asked_again_as_another_question(tmp_path):
    refinement, _ = refined(str(tmp_path))
    limits = RoundLimits(budget=6, audit=0)
    first = plan_round(refinement, (), {}, limits)
    (item, *_), ids = [c.id for q in first.questions for c in q.cases if c.purpose == "case"], set[str]()
    sent = {i.id for q in first.questions for i in q.question.items}
    for pages in (1, 2):
        again = plan_round(refinement, sent, {}, limits, finished_pages={item: pages})
        (question,) = [q for q in again.questions if q.repeated]
        assert [c.id for c in question.cases][:1] == [item]
        assert item in again.wanted_items
        ids.add(question.question.id)
    assert len(ids - {q.question.id for q in first.questions}) == 2
    assert not [q for q in plan_round(refinement, sent, {}, limits, finished_pages={item: 7}).questions if q.repeated]


def test_a_page_with_a_verdict_is_not_asked_again(tmp_path):
    refinement, _ = refined(str(tmp_path))
    first = plan_round(refinement, (), {}, RoundLimits(budget=6, audit=0))
    case = next(c for q in first.questions for c in q.cases if c.purpose == "case")
    ref = case.finding
    rows = [row(ref.finding_id, "unsure", who, kind=ref.kind, subject=ref.subject, object=ref.object) for who in "vw"]
    ledger.append(str(tmp_path), rows)
    again = plan_round(refinement, {case.id}, {}, RoundLimits(budget=6, audit=0), finished_pages={case.id: 1})
    assert not [q for q in again.questions if q.repeated]
