"""What annotators are asked and what they answer, as plain values that the queue, the pages and the ledger share.

An item is one thing that is asked; a question is one page of items. Answers are matched to items by id, never by
their place on the page.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from pipeline.schema import digest

Verdict = Literal["yes", "no", "unsure"]
GRID, PAIR = "grid", "pair"  # which of these photos show someone else?  are both sides the same person?
CHOICES = {GRID: ("same", "other", "unusable", "unsure"), PAIR: ("same", "different", "unsure")}


class Item(NamedTuple):
    """One thing that is asked: a cell of a grid, or the one pair of a page."""

    id: str  # a finding's, or a gold question's
    face: str  # face_id of the cell; "" in a pair
    machine_verdict: str  # on the finding: yes, no or unsure
    explanation: str  # of the machine's score, in words


class Question(NamedTuple):
    """One page: the surest faces of a person beside the suspects, or two sides that may be one person."""

    id: str
    page: str
    title: str
    left: tuple[str, ...]  # face_ids
    right: tuple[str, ...]
    items: tuple[Item, ...]
    left_name: str = ""
    right_name: str = ""
    same_means: str = "yes"  # of a pair: the verdict on the finding when people answer "the same person"


class Answer(NamedTuple):
    """One annotator's answer to one item."""

    item: str
    choice: str  # one of CHOICES
    annotator: str
    knows: bool | None  # whether the annotator knows the person; None: not said
    at: datetime
    seconds: float  # the page's time divided by its items
    question: str
    answer_id: str  # the same each time the answer is collected, also after its annotator changed it


def question_id(page: str, items: tuple[Item, ...], round: int = 0) -> str:
    """The id of a page: the same items in the same round are the same question."""
    return digest("question", page, str(round), *sorted(item.id for item in items))


def verdict_of(choice: str, same_means: str) -> Verdict:
    """The verdict on a finding that a choice gives; same_means: the verdict that "the same person" gives."""
    if choice not in ("same", "other", "different"):
        return "unsure"
    return "yes" if (choice == "same") == (same_means == "yes") else "no"
