"""The data that fills a page, and what an annotator's answer to the page means.

The data of a task holds the words and the ids of all that is asked, and answers are matched by those ids. A seal over
the ids tells whether the data is still what was sent, so the place on a page never decides what an answer is about.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.review.label_studio.images import PictureAddresses
from pipeline.review.label_studio.page_templates import CELL, FACE, KNOWS, PAGES, SAME, TITLE
from pipeline.review.questions.question import CHOICES, GRID, PAIR, Question
from pipeline.schema import digest

KEYS = "1234567890qwtiopasgjkzxcvb"  # of the cells, in order: without those that Label Studio or a browser needs
CELL_CHOICES = {  # what a cell's choice is called, and the key that is pressed together with the cell's own
    "other": ("someone else", ""),
    "same": ("this person", "shift+"),
    "unusable": ("no usable face", "alt+"),
    "unsure": ("cannot tell", "shift+alt+"),
}


@dataclass(frozen=True)
class PageAnswers:
    """What one annotator answered on one page."""

    choices: dict[str, str]  # by item id
    knows: bool | None  # whether the annotator knows the person; None: not answered
    foreign: int  # results that answer nothing on this page


def task_data(question: Question, addresses: PictureAddresses) -> dict[str, Any]:
    """The data of a question's task; addresses: of the pictures of its faces."""
    side = addresses.alone if question.page == GRID else addresses.with_photo
    items: list[dict[str, Any]] = [{"id": item.id, "words": item.explanation} for item in question.items]
    if question.page == GRID:
        for place, (item, row) in enumerate(zip(question.items, items, strict=True)):
            picture = addresses.with_photo[item.face]
            row |= {"face": item.face, "picture": picture, "choices": _cell_choices(place)}
    data = {
        "question": question.id,
        "page": question.page,
        "title": question.title or "no name",
        "left": [side[f] for f in question.left],
        "items": items,
        "seal": seal(question.page, question.id, (item.id for item in question.items)),
    }
    if question.page == PAIR:
        data |= {"right": [side[f] for f in question.right], "words": question.items[0].explanation}
        data |= {"left_name": question.left_name or "one", "right_name": question.right_name or "the other"}
    return data


def machine_choices(question: Question) -> list[dict[str, Any]]:
    """The choices that a page begins with, the machine's view; none where it is unsure."""
    if question.page == PAIR:
        other = "no" if question.same_means == "yes" else "yes"
        choice = {question.same_means: "same", other: "different"}.get(question.items[0].machine_verdict)
        return [_result(SAME, TITLE, choice)] if choice else []
    choices = {"yes": "other", "no": "same"}
    return [
        _result(f"{CELL}{place}", f"{FACE}{place}", choices[item.machine_verdict])
        for place, item in enumerate(question.items)
        if item.machine_verdict in choices
    ]


def read_results(data: Mapping[str, Any], results: Any) -> PageAnswers:
    """What the results of an annotation answer to a task with this data; the data must be sealed (see is_sealed)."""
    item_of = (
        {SAME: data["items"][0]["id"]}
        if data["page"] == PAIR
        else {f"{CELL}{place}": item["id"] for place, item in enumerate(data["items"])}
    )
    choices: dict[str, str] = {}
    knows, foreign = None, 0
    for result in results if isinstance(results, list) else [results]:
        name, choice = _name_and_choice(result)
        if name == KNOWS and choice in ("yes", "no"):
            knows = choice == "yes"
        elif name in item_of and choice in CHOICES[data["page"]]:
            choices[item_of[name]] = choice
        else:
            foreign += 1
    return PageAnswers(choices, knows, foreign)


def seal(page: str, question: str, items: Iterable[str]) -> str:
    """A digest of what is asked, in the order in which it stands on the page."""
    return digest("page", page, question, *items)


def is_sealed(data: Any) -> bool:
    """Whether a task's data is still what was sent, as far as answers are concerned; False for tasks of others."""
    try:
        intact = data["seal"] == seal(data["page"], data["question"], [item["id"] for item in data["items"]])
        return bool(intact and data["items"] and data["page"] in PAGES)
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError):
        return False


def _name_and_choice(result: Any) -> tuple[str, str]:
    """The name and the first choice of a result; empty where it has none."""
    try:
        name, choice = result["from_name"], result["value"]["choices"][0]
    except (KeyError, TypeError, IndexError):
        return "", ""
    return (name, choice) if isinstance(name, str) and isinstance(choice, str) else ("", "")


def _cell_choices(place: int) -> list[dict[str, str]]:
    """The choices of a cell; beyond the last key only the mouse answers.

    The value, which is not shown, differs from cell to cell: Label Studio names its buttons by it, and a browser takes
    buttons of one name for one group, of which a click on one that is chosen already would take the choice away.
    """
    key = KEYS[place : place + 1]
    return [
        {"value": f"{place + 1} {words}", "html": words, "alias": choice} | ({"hotkey": with_key + key} if key else {})
        for choice, (words, with_key) in CELL_CHOICES.items()
    ]


def _result(name: str, about: str, choice: str) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": about, "type": "choices", "value": {"choices": [choice]}}
