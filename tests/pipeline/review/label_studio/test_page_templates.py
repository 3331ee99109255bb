"""The pages as templates, their data, and how answers read."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.review.label_studio import page_templates
from pipeline.review.questions.question import CHOICES, GRID, PAIR
from tests.builders.label_studio.review_pages import grid, pair


class Same(dict):
    """An address for every face: its id."""

    def __missing__(self, face):
        return face


def data(question):
    return page_templates.data_of(question, Same(), Same())


def chosen(name, choice):
    return {"from_name": name, "value": {"choices": [choice]}}


@pytest.mark.parametrize("page", [GRID, PAIR])
def test_a_page_is_well_formed_and_asks_under_the_names_that_answers_are_read_by(page):
    tree = ET.fromstring(page_templates.PAGES[page])
    asked = {tag.get("name").replace("{{at}}", "0") for tag in tree.iter("Choices")}
    expected = {
        GRID: {page_templates.KNOWS, f"{page_templates.CELL}0"},
        PAIR: {page_templates.KNOWS, page_templates.SAME},
    }[page]
    assert asked == expected
    objects = {tag.get("name") for kind in ("Text", "Image") for tag in tree.iter(kind)}
    assert all(tag.get("toName") in objects for tag in tree.iter("Choices"))


def test_what_the_template_shows_is_in_the_data():
    for question in (grid("a"), pair("b")):
        tree, filled = ET.fromstring(page_templates.PAGES[question.page]), data(question)
        for tag in tree.iter():
            for attribute in ("value", "on"):
                at = tag.get(attribute, "")
                if at.startswith("$"):
                    name, _, rest = at[1:].partition("[{{at}}]")
                    found = filled[name][0] if rest or "{{at}}" in at else filled[name]
                    assert found[rest[1:]] if rest else found, at


def test_every_choice_of_the_pages_is_one_that_answers_know():
    assert tuple(sorted(page_templates.WORDS)) == tuple(sorted(CHOICES[GRID]))
    tree = ET.fromstring(page_templates.PAGES[PAIR])
    choices = [
        tag.get("alias") for group in tree.iter("Choices") if group.get("name") == page_templates.SAME for tag in group
    ]
    assert tuple(choices) == CHOICES[PAIR]


def test_no_key_means_two_things():
    items = data(grid("a", cells=len(page_templates.KEYS) + 2))["items"]
    keys = [c["hotkey"] for item in items for c in item["choices"] if "hotkey" in c]
    assert len(keys) == len(set(keys)) == 4 * len(page_templates.KEYS)
    assert not {"y", "n"} & set(keys)
    assert len({c["value"] for item in items for c in item["choices"]}) == 4 * len(items)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (grid("a", 1, "yes"), ["other"]),
        (grid("a", 1, "no"), ["same"]),
        (grid("a", 1, "unsure"), []),
        (pair("a", "yes", "yes"), ["same"]),
        (pair("a", "no", "yes"), ["different"]),
        (pair("a", "yes", "no"), ["different"]),
        (pair("a", "no", "no"), ["same"]),
        (pair("a", "unsure"), []),
    ],
)
def test_the_view_of_the_machine_is_chosen_first(question, expected):
    assert [r["value"]["choices"][0] for r in page_templates.guessed(question)] == expected


def test_answers_are_matched_by_the_ids_in_the_data():
    filled = data(grid("a", cells=3))
    said = page_templates.read(filled, [chosen("cell_2", "other"), chosen("cell_0", "unsure"), chosen("knows", "no")])
    assert said == page_templates.Said({"a.2": "other", "a.0": "unsure"}, False, 0)
    assert page_templates.read(data(pair("b")), [chosen("same", "different")]) == page_templates.Said(
        {"b.pair": "different"}, None, 0
    )


@pytest.mark.parametrize(
    "odd",
    [
        chosen("cell_9", "other"),
        chosen("cell_0", "maybe"),
        chosen("else", "other"),
        {},
        {"from_name": "cell_0"},
        {"from_name": "cell_0", "value": "other"},
        {"from_name": "knows", "value": {"choices": []}},
    ],
)
def test_what_makes_no_sense_is_counted_and_answers_nothing(odd):
    assert page_templates.read(data(grid("a")), [odd]) == page_templates.Said({}, None, 1)


def test_the_seal_tells_edited_data():
    filled = data(grid("a"))
    assert page_templates.sealed(filled)
    assert page_templates.sealed({**filled, "title": "another", "left": []})  # which changes no answer's meaning
    assert not page_templates.sealed({**filled, "items": filled["items"][::-1]})
    assert not page_templates.sealed({**filled, "items": filled["items"][:-1]})
    assert not page_templates.sealed({**filled, "question": "another"})
    assert not page_templates.sealed({"text": "somebody else's task"})
    assert not page_templates.sealed(None)
