"""The data of a task, and the reading of an annotation by that data."""

import pytest

from pipeline.review.label_studio.page_data import KEYS, PageAnswers, is_sealed, machine_choices, read_results
from tests.builders.label_studio.review_pages import data, grid, pair


def chosen(name, choice):
    return {"from_name": name, "value": {"choices": [choice]}}


def test_each_key_stands_for_one_choice():
    items = data(grid("a", cells=len(KEYS) + 2))["items"]
    keys = [c["hotkey"] for item in items for c in item["choices"] if "hotkey" in c]
    assert len(keys) == len(set(keys)) == 4 * len(KEYS)
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
def test_a_page_opens_with_the_machines_verdicts_chosen(question, expected):
    assert [r["value"]["choices"][0] for r in machine_choices(question)] == expected


def test_answers_are_matched_by_the_ids_in_the_data():
    filled = data(grid("a", cells=3))
    answers = read_results(filled, [chosen("cell_2", "other"), chosen("cell_0", "unsure"), chosen("knows", "no")])
    assert answers == PageAnswers({"a.2": "other", "a.0": "unsure"}, False, 0)
    assert read_results(data(pair("b")), [chosen("same", "different")]) == PageAnswers({"b.pair": "different"}, None, 0)


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
def test_results_that_fit_no_item_are_counted_and_ignored(odd):
    assert read_results(data(grid("a")), [odd]) == PageAnswers({}, None, 1)


def test_the_seal_shows_edited_data():
    filled = data(grid("a"))
    assert is_sealed(filled)
    assert is_sealed({**filled, "title": "another"})  # which changes no answer's meaning
    assert not is_sealed({**filled, "left": []})
    assert not is_sealed({**filled, "items": filled["items"][::-1]})
    assert not is_sealed({**filled, "items": filled["items"][:-1]})
    assert not is_sealed({**filled, "question": "another"})
    assert not is_sealed({"text": "somebody else's task"})
    assert not is_sealed(None)
