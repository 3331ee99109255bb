"""The mark by which a project is recognised."""

from pipeline.review.label_studio.project_mark import MAX_TITLE, ProjectMark


def test_a_mark_is_read_from_a_description_to_which_people_added_lines():
    mark = ProjectMark("faces · one", "Asian", "grid")
    written = mark.description("our best people\n" + ProjectMark("old", "x", "pair").description())
    assert ProjectMark.read(written, "another title") == mark
    assert written.startswith("our best people")
    assert ProjectMark.read("nothing", "another title") is None
    assert ProjectMark.read("face-refinery review: {broken", "") is None


def test_without_a_description_the_mark_is_read_from_the_title():
    mark = ProjectMark("faces · one", "Asian", "pair")
    assert ProjectMark.read("", mark.title()) == mark


def test_a_long_title_is_cut_and_stays_different():
    names = [
        ProjectMark("a name that is much too long for a title " + end, "Caucasian", "grid").title() for end in "ab"
    ]
    assert all(len(n) <= MAX_TITLE for n in names)
    assert names[0] != names[1]
