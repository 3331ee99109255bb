"""The page templates are well formed, and their names and choices are those by which answers are read."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.review.label_studio.page_data import CELL_CHOICES
from pipeline.review.label_studio.page_templates import CELL, KNOWS, PAGES, SAME, TICK
from pipeline.review.pages.exemplars import SHOWN
from pipeline.review.questions.question import CHOICES, GRID, KINDS, MIXED, PAIR
from tests.builders.label_studio.review_pages import data, grid, mixed, pair

MOST_PHOTOS = 2 * SHOWN  # on a mixed page


@pytest.mark.parametrize("page", KINDS)
def test_a_page_is_well_formed_and_asks_under_the_names_that_answers_are_read_by(page):
    tree = ET.fromstring(PAGES[page])
    names = {tag.get("name").replace("{{at}}", "0") for tag in tree.iter("Choices")}
    expected = {
        GRID: {KNOWS, f"{CELL}0"},
        PAIR: {KNOWS, SAME},
        MIXED: {KNOWS, SAME, f"{TICK}0"},
    }[page]
    assert names == expected
    objects = {tag.get("name") for kind in ("Text", "Image") for tag in tree.iter(kind)}
    assert all(tag.get("toName") in objects for tag in tree.iter("Choices"))


def test_what_the_template_shows_is_in_the_data():
    for question in (grid("a"), pair("b"), mixed("c")):
        tree, filled = ET.fromstring(PAGES[question.page]), data(question)
        for tag in tree.iter():
            for attribute in ("value", "on"):
                at = tag.get(attribute, "")
                if at.startswith("$"):
                    name, _, key = at[1:].partition("[{{at}}]")
                    shown = filled[name][0] if key or "{{at}}" in at else filled[name]
                    assert shown[key[1:]] if key else shown, at


def test_every_choice_of_the_pages_is_one_that_answers_know():
    assert tuple(sorted(CELL_CHOICES)) == tuple(sorted(CHOICES[GRID]))
    tree = ET.fromstring(PAGES[PAIR])
    choices = [tag.get("alias") for group in tree.iter("Choices") if group.get("name") == SAME for tag in group]
    assert tuple(choices) == CHOICES[PAIR]


def test_no_key_of_a_mixed_page_stands_for_two_choices():
    tree = ET.fromstring(PAGES[MIXED])
    keys = [tag.get("hotkey") for tag in tree.iter("Choice")]
    keys += [tick["hotkey"] for ticks in data(mixed("a", photos=MOST_PHOTOS))["ticks"] for tick in ticks]
    assert len(keys) == len(set(keys)) == 4 + MOST_PHOTOS


@pytest.mark.parametrize("page", KINDS)
def test_a_page_says_whom_it_means_and_claims_nothing_that_its_data_may_not_bear_out(page):
    words = [tag.get("value") for tag in ET.fromstring(PAGES[page]).iter("Header")]
    (knows,) = [w for w in words if w.startswith("Do you know")]
    assert "this person" not in knows
    assert not [w for w in words if "machine" in w], "not every photo has a choice that the machine set"
