"""One annotator by kind of finding, against answers that are counted by hand."""

from pipeline.review.answers.agreement import DELETED
from pipeline.review.answers.annotator_kinds import KindRecord, by_kind
from pipeline.review.answers.ledger import table_of
from pipeline.review.questions.question import NOBODY
from tests.builders.tables.ledger_rows import row


def test_answers_are_counted_by_kind_against_others_and_against_gold() -> None:
    table = table_of(
        [
            row("1", "no", "ann", seconds=9.0),
            row("1", "yes", "ann", seconds=2.0),  # changed: this one counts
            row("1", "yes", "bob"),
            row("1", "no", "eve"),
            row("2", "unsure", "ann", seconds=4.0, kind="merge"),
            row("2", "unsure", "bob", kind="merge"),
            row("3", "no", "ann", seconds=6.0),
            row("3", "yes", "policy", purpose="policy"),
            row("4", "no", "bob"),
            row("5", "yes", "ann", purpose="gold", expected="yes", seconds=30.0),
            row("6", "no", "ann", purpose="gold", expected="yes", seconds=None),
            row("7", "unsure", "ann", purpose="gold", expected="yes", seconds=None),
            row("5", "yes", "bob", purpose="gold", expected="yes"),
        ]
    )
    assert by_kind(table, "ann") == [
        KindRecord("", answers=3, unsure=1, compared=3, same=2, gold=2, right=1, seconds=5.0),
        KindRecord("merge", answers=1, unsure=1, compared=1, same=1, gold=0, right=0, seconds=4.0),
        KindRecord("outlier", answers=2, unsure=0, compared=2, same=1, gold=2, right=1, seconds=6.0),
    ]
    assert by_kind(table, "zoe") == by_kind(table, "policy") == []


def test_each_answer_of_deleted_accounts_is_compared_with_the_others() -> None:
    rows = [row("1", verdict, NOBODY, answer_id=verdict, seconds=None) for verdict in ("yes", "no")]
    table = table_of(rows)
    assert by_kind(table, DELETED)[0] == KindRecord("", 2, 0, compared=2, same=0, gold=0, right=0, seconds=None)
