"""One round of questions: nothing that was sent is asked again."""

from pipeline.review.questions.question import PAIR
from pipeline.review.round import RoundLimits, plan_round
from tests.builders.tables.drawn_refinement import refined


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
