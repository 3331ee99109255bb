"""The agreement of annotators: every answer counts once, however often it was submitted."""

import pytest

from pipeline.review.answers.agreement import DELETED, by_annotator, by_group
from pipeline.review.answers.ledger import table_of
from pipeline.review.questions.question import NOBODY
from tests.builders.tables.ledger_rows import row

GOLD = {"purpose": "gold", "expected": "yes"}


def test_a_second_submission_counts_once():
    answers = [row("a", "yes", "v", group="g"), row("b", "no", "v", seconds=4.0, group="g")]
    gold = row("g1", "yes", "v", seconds=6.0, **GOLD)
    again = [
        row("a", "no", "v", at=1, seconds=8.0, group="g", answer_id="second"),
        row("g1", "no", "v", at=1, seconds=6.0, answer_id="second", **GOLD),
    ]
    (annotator,) = by_annotator(table_of([*answers, gold, *again]))
    assert (annotator.answers, annotator.gold) == (2, 1)
    assert annotator.seconds == pytest.approx((8.0 + 4.0 + 6.0) / 3)
    assert [g.answers for g in by_group(table_of([*answers, *again])) if g.name == "g"] == [2]


def test_two_deleted_accounts_are_two_annotators_who_may_disagree():
    differ = [row(f, v, NOBODY, group="g", answer_id=f"{f}/{v}") for f in ("a", "b") for v in ("yes", "no")]
    (group,) = by_group(table_of(differ))
    assert (group.answers, group.shared) == (4, 2)
    assert group.alpha is not None
    assert group.alpha < 0
    (deleted,) = by_annotator(table_of([*differ, row("a", "yes", "v", group="g")]))[:1]
    assert (deleted.name, deleted.answers, deleted.shared) == (DELETED, 4, 2), "every answer is counted"
