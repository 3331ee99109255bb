"""The cursor of a project: no answer is lost or collected twice, even if the server's clock is put back."""

from datetime import UTC, datetime, timedelta

from pipeline.review.label_studio.answer_cursor import MAX_DELAY, AnswerCursor

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_cursor_knows_which_annotations_were_read():
    first = AnswerCursor.read("")
    assert first.begin() is None
    assert not first.knows(1, NOON)
    later = AnswerCursor.read(first.write({1: NOON, 2: NOON - timedelta(hours=1)}))
    assert later.knows(1, NOON)
    assert not later.knows(1, NOON + timedelta(seconds=1))  # changed since
    assert later.knows(2, NOON - timedelta(hours=1))
    assert not later.knows(3, NOON - timedelta(seconds=30))  # given earlier, shown late
    assert later.knows(3, NOON - MAX_DELAY - timedelta(seconds=1))
    assert AnswerCursor.read(later.write({})) == later


def test_a_cursor_notices_answers_hidden_by_a_clock_that_was_put_back():
    cursor = AnswerCursor.read(AnswerCursor.read("").write({1: NOON, 2: NOON}, 2))
    assert not cursor.misses([], 2)
    assert not cursor.misses([3], 3)
    assert not cursor.misses([2], 2), "a change is not a new answer"
    assert cursor.misses([], 3)
    assert cursor.misses([2], 3)
    assert not cursor.misses([], 1), "somebody deleted one"
    assert not AnswerCursor.read("").misses([], 5), "everything is read anyway"


def test_the_cursor_of_a_project_without_answers_is_empty():
    assert AnswerCursor.read("").write({}) == ""
