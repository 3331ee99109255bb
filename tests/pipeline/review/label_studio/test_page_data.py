"""The data of a task, and the reading of an annotation by that data."""

import pytest

from pipeline.review.label_studio.page_data import (
    KEYS,
    PageAnswers,
    is_current,
    is_sealed,
    machine_choices,
    read_results,
)
from pipeline.review.questions.question import GRID
from pipeline.schema import digest
from tests.builders.label_studio.review_pages import data, grid, mixed, pair


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
        (mixed("a"), []),
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


def test_the_photos_that_are_ticked_show_one_person_and_the_others_do_not():
    answers = read_results(
        data(mixed("a")), [chosen("tick_0", "same"), chosen("tick_2", "same"), chosen("knows", "yes")]
    )
    choices = {"a.mixed": "same", "a.0": "same", "a.1": "other", "a.2": "same", "a.3": "other"}
    assert answers == PageAnswers(choices, True, 0)


@pytest.mark.parametrize("choice", ["different", "unsure"])
def test_without_a_tick_the_choice_is_about_the_identity_alone(choice):
    assert read_results(data(mixed("a")), [chosen("same", choice)]) == PageAnswers({"a.mixed": choice}, None, 0)


@pytest.mark.parametrize(
    "results",
    [
        [chosen("tick_0", "same")],
        [chosen("tick_0", "same"), chosen("tick_1", "same"), chosen("same", "different")],
        [chosen("tick_0", "same"), chosen("tick_9", "same")],
        [chosen("same", "same")],
        [],
    ],
)
def test_a_mixed_page_that_contradicts_itself_gives_no_answer(results):
    answers = read_results(data(mixed("a")), results)
    assert answers.choices == {}
    assert answers.foreign


def test_only_where_a_choice_is_set_the_hint_says_that_the_machine_set_it():
    hints = [data(grid("a", 1, verdict))["items"][0]["words"] for verdict in ("yes", "no", "unsure")]
    assert hints == ["unlike the others · set by the machine"] * 2 + ["unlike the others"]
    assert data(pair("a", "yes"))["words"].endswith("set by the machine")
    assert "machine" not in data(pair("a", "unsure"))["words"]


@pytest.mark.parametrize("question", [grid("a"), pair("a"), mixed("a")])
def test_the_seal_covers_the_pictures(question):
    filled = data(question)
    assert is_current(filled)
    for edited in swapped_pictures(filled):
        assert not is_sealed(edited), edited


def swapped_pictures(filled):
    """The data with two pictures in each other's place, and nothing else changed."""
    for name in ("picture", "large"):
        if name in filled["items"][0]:
            one, other, *rest = filled["items"]
            yield {**filled, "items": [{**one, name: other[name]}, {**other, name: one[name]}, *rest]}
    for side in ("left", "right", "left_large", "right_large"):
        if side in filled:
            yield {**filled, side: filled[side][::-1]}
    if "right" in filled:
        yield {**filled, "left": filled["right"], "right": filled["left"]}


def test_a_task_of_an_earlier_version_is_sealed_but_not_current():
    filled = data(grid("a"))
    earlier = {**filled, "seal": digest("page", GRID, filled["question"], *(i["id"] for i in filled["items"]))}
    assert is_sealed(earlier)
    assert not is_current(earlier)
    assert not is_sealed({**earlier, "items": earlier["items"][::-1]})


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
