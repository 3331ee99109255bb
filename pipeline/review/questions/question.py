"""What is asked and what is answered, as plain values: all that the queue, the pages and the ledger have in common.

An item is one thing that is asked, matched by its id and never by its place on a page; a question is one page of items.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from pipeline.schema import digest

Verdict = Literal["yes", "no", "unsure"]
GRID, PAIR = "grid", "pair"  # who does not belong?  are these the same person?
CHOICES = {GRID: ("same", "other", "unusable", "unsure"), PAIR: ("same", "different", "unsure")}


class Item(NamedTuple):
    """One thing that is asked: a cell of a grid, or the one pair of a page."""

    id: str  # a finding's, or a gold item's
    face: str  # face_id of the cell; "" in a pair
    guess: str  # the machine's view of the finding: yes, no or unsure
    words: str  # and why, in plain words


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
    same_means: str = "yes"  # what "the same person" says of a pair's finding


class Answer(NamedTuple):
    """One annotator's answer to one item."""

    item: str
    choice: str
    who: str
    knows: bool | None  # whether the annotator knows the person
    at: datetime
    seconds: float
    question: str
    answer_id: str  # the same whenever it is collected


def question_id(page: str, items: tuple[Item, ...], round: int = 0) -> str:
    """The address of a page: the same items in the same round are the same question."""
    return digest("question", page, str(round), *sorted(item.id for item in items))
