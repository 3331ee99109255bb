"""The data of a task, which fills a page template, and the reading of an annotation by that data.

The data holds texts, picture addresses and the ids of the items; an answer is matched to an item by its id, not by its
place on the page. The data also holds a seal, a digest of ids and pictures: it shows whether somebody edited the data.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.review.label_studio.images import PictureAddresses
from pipeline.review.label_studio.page_templates import CELL, FACE, KNOWS, PAGES, SAME, TICK, TITLE
from pipeline.review.questions.question import CHOICES, GRID, MIXED, PAIR, Item, Question
from pipeline.schema import digest

KEYS = "1234567890qwtiopasgjkzxcvb"  # one for each cell, in order; without keys that Label Studio or browsers use
CELL_CHOICES = {  # by choice: its words on the page, and the key that is pressed together with the cell's key
    "other": ("someone else", ""),
    "same": ("this person", "shift+"),
    "unusable": ("no usable face", "alt+"),
    "unsure": ("cannot tell", "shift+alt+"),
}


@dataclass(frozen=True)
class PageAnswers:
    """One annotator's answers on one page."""

    choices: dict[str, str]  # by item id
    knows: bool | None  # whether the annotator knows the person; None: not answered
    foreign: int  # number of results that belong to no item of this page


def task_data(question: Question, addresses: PictureAddresses) -> dict[str, Any]:
    """The data of a question's task; addresses: of the pictures of all its faces."""
    side = addresses.alone if question.page == GRID else addresses.with_photo
    items: list[dict[str, Any]] = [{"id": item.id, "words": item.explanation} for item in question.items]
    if question.page == GRID:
        for place, (item, row) in enumerate(zip(question.items, items, strict=True)):
            picture = addresses.with_photo[item.face]
            row |= {"face": item.face, "picture": picture, "large": addresses.large[item.face]}
            row |= {"words": _with_machine_choice(item), "choices": _cell_choices(place)}
    data: dict[str, Any] = {
        "question": question.id,
        "page": question.page,
        "title": question.title or "no name",
        "left": [side[f] for f in question.left],
        "items": items,
    }
    if question.page == PAIR:
        data |= {"right": [side[f] for f in question.right], "words": _with_machine_choice(question.items[0])}
        data |= {"left_name": question.left_name or "one", "right_name": question.right_name or "the other"}
        data |= {"left_large": [addresses.large[f] for f in question.left]}
        data |= {"right_large": [addresses.large[f] for f in question.right]}
    if question.page == MIXED:
        for item, row in zip(question.items, items, strict=True):
            row |= {"face": item.face} if item.face else {}
        data |= {"left_large": [addresses.large[f] for f in question.left]}
        data |= {"ticks": [[_tick(place)] for place in range(len(question.left))]}
    return data | {"seal": seal(data)}


def machine_choices(question: Question) -> list[dict[str, Any]]:
    """The choices that are set when a page opens: the machine's verdicts, in Label Studio's form; none for "unsure"."""
    if question.page == MIXED:
        return []  # the machine has no view on which photos show one person
    if question.page == PAIR:
        different_means = "no" if question.same_means == "yes" else "yes"
        choice = {question.same_means: "same", different_means: "different"}.get(question.items[0].machine_verdict)
        return [_result(SAME, TITLE, choice)] if choice else []
    choices = {"yes": "other", "no": "same"}
    return [
        _result(f"{CELL}{place}", f"{FACE}{place}", choices[item.machine_verdict])
        for place, item in enumerate(question.items)
        if item.machine_verdict in choices
    ]


def read_results(data: Mapping[str, Any], results: Any) -> PageAnswers:
    """The answers in an annotation's results to the task with this data.

    Results may be anything, but is_sealed(data) must be true.
    """
    if data["page"] == MIXED:
        return _read_mixed(data["items"], results)
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


def _read_mixed(items: Sequence[Mapping[str, Any]], results: Any) -> PageAnswers:
    """The answers on a mixed page: ticks on the photos that show one person, or a choice that there is none.

    A page with one tick alone, or with ticks and such a choice, contradicts itself: it gives no answers.
    """
    ticks, choices, knows, foreign = set[str](), set[str](), None, 0
    place_of = {f"{TICK}{place}": item["id"] for place, item in enumerate(items[1:])}
    for result in results if isinstance(results, list) else [results]:
        name, choice = _name_and_choice(result)
        if name == KNOWS and choice in ("yes", "no"):
            knows = choice == "yes"
        elif name in place_of and choice == "same":
            ticks.add(place_of[name])
        elif name == SAME and choice in ("different", "unsure"):
            choices.add(choice)
        else:
            foreign += 1
    if len(ticks) > 1 and not choices:
        photos = {item["id"]: "same" if item["id"] in ticks else "other" for item in items[1:]}
        return PageAnswers({items[0]["id"]: "same", **photos}, knows, foreign)
    if choices and not ticks:
        return PageAnswers({items[0]["id"]: choices.pop()}, knows, foreign)
    return PageAnswers({}, knows, foreign + 1)


def seal(data: Mapping[str, Any]) -> str:
    """A digest of the kind of page, the question's id, and its items and pictures in their order on the page."""
    items = data["items"]
    pictures = [item[name] for name in ("picture", "large") for item in items if name in item]
    sides = [p for name in ("left", "right", "left_large", "right_large") for p in (*data.get(name, ()), "")]
    return digest("page and pictures", data["page"], data["question"], *(i["id"] for i in items), *sides, *pictures)


def _earlier_seal(data: Mapping[str, Any]) -> str:
    """The seal of tasks of earlier versions, which does not cover the pictures."""
    return digest("page", data["page"], data["question"], *(item["id"] for item in data["items"]))


def is_sealed(data: Any) -> bool:
    """Whether ids and pictures in a task's data are still as they were sent; False for a task that no review sent."""
    return _has_seal(data, seal) or _has_seal(data, _earlier_seal)


def is_current(data: Any) -> bool:
    """Whether is_sealed() holds, and the data has the form that this version sends."""
    return _has_seal(data, seal)


def _has_seal(data: Any, seal_of: Callable[[Mapping[str, Any]], str]) -> bool:
    try:
        return bool(data["seal"] == seal_of(data) and data["items"] and data["page"] in PAGES)
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError):
        return False


def _name_and_choice(result: Any) -> tuple[str, str]:
    """The name of the control and the first choice of a result; "" for both when it is not the result of a choice."""
    try:
        name, choice = result["from_name"], result["value"]["choices"][0]
    except (KeyError, TypeError, IndexError):
        return "", ""
    return (name, choice) if isinstance(name, str) and isinstance(choice, str) else ("", "")


def _with_machine_choice(item: Item) -> str:
    """The hint of an item; it says so where a choice is set already when the page opens."""
    return f"{item.explanation} · set by the machine" if item.machine_verdict in ("yes", "no") else item.explanation


def _cell_choices(place: int) -> list[dict[str, str]]:
    """The choices of the cell at a place of a grid; cells beyond the last of KEYS have no keys.

    The values, which are not shown, differ between cells: Label Studio names radio buttons by the value, and a browser
    takes buttons with one name as one group, in which a click on a choice that is set already would clear it.
    """
    key = KEYS[place : place + 1]
    return [
        {"value": f"{place + 1} {words}", "html": words, "alias": choice} | ({"hotkey": with_key + key} if key else {})
        for choice, (words, with_key) in CELL_CHOICES.items()
    ]


def _tick(place: int) -> dict[str, str]:
    """The one choice of the photo at a place of a mixed page; see _cell_choices()."""
    key = KEYS[place : place + 1]
    return {"value": f"{place + 1} shows the person", "html": "shows the person", "alias": "same"} | (
        {"hotkey": key} if key else {}
    )


def _result(name: str, about: str, choice: str) -> dict[str, Any]:
    """A choice as Label Studio stores it; name: of the control; about: name of the text or image it belongs to."""
    return {"id": name, "from_name": name, "to_name": about, "type": "choices", "value": {"choices": [choice]}}
