"""Marks and cursors."""

from datetime import UTC, datetime, timedelta

from pipeline.review.label_studio.projects import LATE, LONGEST, Cursor, Mark

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_mark_is_read_from_the_description_whatever_people_add():
    mark = Mark("faces · one", "Asian", "grid")
    written = mark.description("our best people\n" + Mark("old", "x", "pair").description())
    assert Mark.read(written, "another title") == mark
    assert written.startswith("our best people")
    assert Mark.read("nothing", "another title") is None
    assert Mark.read("face-refinery review: {broken", "") is None


def test_the_title_serves_where_the_description_is_gone():
    mark = Mark("faces · one", "Asian", "pair")
    assert Mark.read("", mark.title()) == mark


def test_a_long_title_is_cut_and_stays_different():
    names = [Mark("a name that is much too long for a title " + end, "Caucasian", "grid").title() for end in "ab"]
    assert all(len(n) <= LONGEST for n in names)
    assert names[0] != names[1]


def test_a_cursor_knows_what_was_read_and_nothing_else():
    first = Cursor.read("")
    assert first.begin() is None
    assert not first.knows(1, NOON)
    later = Cursor.read(first.write({1: NOON, 2: NOON - timedelta(hours=1)}))
    assert later.knows(1, NOON)
    assert not later.knows(1, NOON + timedelta(seconds=1))  # changed since
    assert later.knows(2, NOON - timedelta(hours=1))
    assert not later.knows(3, NOON - timedelta(seconds=30))  # given earlier, shown late
    assert later.knows(3, NOON - LATE - timedelta(seconds=1))
    assert Cursor.read(later.write({})) == later


def test_a_cursor_misses_what_a_clock_that_went_back_hides():
    cursor = Cursor.read(Cursor.read("").write({1: NOON, 2: NOON}, 2))
    assert not cursor.misses([], 2)
    assert not cursor.misses([3], 3)
    assert not cursor.misses([2], 2), "a change is no new answer"
    assert cursor.misses([], 3)
    assert cursor.misses([2], 3)
    assert not cursor.misses([], 1), "somebody deleted one"
    assert not Cursor.read("").misses([], 5), "everything is read anyway"


def test_a_cursor_of_nothing_is_empty():
    assert Cursor.read("").write({}) == ""
