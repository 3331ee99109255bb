"""The mark by which a project is recognised, and what people read about the project."""

import pytest

from pipeline.review.label_studio.project_mark import DESCRIPTIONS, MAX_TITLE, ProjectMark
from pipeline.review.questions.question import GRID, KINDS, PAIR

MARK = ProjectMark("faces -- one <!-- x -->", "Asian", GRID, "4f2a")
EARLIER = 'face-refinery review: {"group": "Asian", "name": "faces", "page": "pair"}'


@pytest.mark.parametrize("text", [MARK.template(), MARK.instruction(), f"our page{MARK.comment()}\nand more"])
def test_a_mark_is_read_from_the_template_or_the_instructions(text: str) -> None:
    assert ProjectMark.read("nothing", text, title="another title") == MARK


def test_a_mark_is_a_comment_that_nothing_in_a_name_ends() -> None:
    assert MARK.comment().count("--") == 2
    assert MARK.comment().count(">") == 1


def test_marks_of_earlier_versions_are_read_from_a_line_of_the_description_or_from_the_title() -> None:
    mark = ProjectMark("faces", "Asian", PAIR)
    assert ProjectMark.read("", "", f"our best people\n{EARLIER}", title="another title") == mark
    assert ProjectMark.read("", title="faces · one · Asian · the same person?") == mark._replace(name="faces · one")


@pytest.mark.parametrize("text", ["nothing", "face-refinery review: {broken", "face-refinery review: {}", "{}"])
def test_other_projects_have_no_mark(text: str) -> None:
    assert ProjectMark.read(text, title="another title") is None
    assert ProjectMark.read(text, title=MARK.title()) is None


@pytest.mark.parametrize("page", KINDS)
def test_people_read_what_the_project_asks_and_for_whom_and_no_data(page: str) -> None:
    mark = ProjectMark("faces", "South Asia", page, "4f2a")
    assert mark.description() == f"{DESCRIPTIONS[page]} Group: South Asia. Review: faces."
    assert mark.description(EARLIER) == mark.description()
    assert mark.description(f"our faces\n{EARLIER}") == "our faces"
    assert "South Asia" in mark.title()
    assert len(mark.title()) <= 42
    shown = mark.title() + mark.description()
    assert "{" not in shown
    assert "4f2a" not in shown


def test_a_long_title_is_cut() -> None:
    title = ProjectMark("x", "people from all the countries of the north and the south", GRID).title()
    assert len(title) == MAX_TITLE
    assert title.endswith("…)")
