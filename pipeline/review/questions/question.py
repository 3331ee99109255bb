"""Questions to annotators and their answers, as plain values that the queue, the pages and the ledger share.

A question is one page; each item on it gets an answer of its own: the photo in one cell of a grid, or the pair of a
page. Answers are matched to items by id, never by their place on the page.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from pipeline.schema import digest

Verdict = Literal["yes", "no", "unsure"]
# kinds of pages: which of these photos show someone else; are both sides the same person; which of these photos of an
# identity without a person show one and the same person, if any do
GRID, PAIR, MIXED = "grid", "pair", "mixed"
KINDS = (GRID, PAIR, MIXED)
# the page that asks about a kind of finding; the other kinds are asked on pages of two sides
PAGE_OF_KIND = {"outlier": GRID, "poor": GRID, "mixed": MIXED}
NOBODY = "nobody"  # stands for the annotator where the account was deleted: each of its answers is a vote of its own
CHOICES = {
    GRID: ("same", "other", "unusable", "unsure"),
    PAIR: ("same", "different", "unsure"),
    MIXED: (
        "same",
        "other",
        "different",
        "unsure",
    ),  # same, other: of a photo; same, different, unsure: of the identity
}


class Item(NamedTuple):
    """The part of a page that gets one answer: a photo, the pair of a page, or whether an identity has a person."""

    id: str  # finding_id, or the id of a gold question
    face: str  # face_id of the photo; "" for a pair and for an identity
    machine_verdict: str  # the policy's verdict on the finding: yes, no or unsure
    explanation: str  # the machine's score in words, for annotators


class Question(NamedTuple):
    """One page: the surest faces of a person beside suspects (GRID), two sides that may be one person (PAIR), or the
    photos of an identity of which no two are similar to the machine (MIXED): its first item is the identity.
    """

    id: str
    page: str  # one of KINDS
    title: str
    left: tuple[str, ...]  # face_ids: the sure faces of a grid, the left side of a pair, or the photos of a mixed page
    right: tuple[str, ...]  # face_ids: the right side of a pair
    items: tuple[Item, ...]
    left_name: str = ""  # headings over the sides of a pair
    right_name: str = ""
    same_means: str = "yes"  # for a pair: the verdict on the finding when people answer "the same person"


class FacePicture(NamedTuple):
    """The picture of a face for annotators, as JPEG bytes."""

    view: bytes  # the aligned face, a square at the left, and to its right the whole photo, if there is one
    large: bytes | None  # the photo as large as it may be shown; None: there is none


class Answer(NamedTuple):
    """One annotator's answer to one item."""

    item: str  # id
    choice: str  # one of CHOICES
    annotator: str
    knows: bool | None  # whether the annotator knows the person; None: the annotator did not answer this
    at: datetime  # when the answer was submitted or last changed
    seconds: float  # the time spent on the page, divided by the number of its items
    question: str  # id
    answer_id: str  # of the page's submission: it stays the same when the annotator changes the answer


def question_id(page: str, items: tuple[Item, ...], round: int = 0) -> str:
    """The id of a page; the same items with the same round give the same id.

    round: how many answers there are, when the page is sent once more because these differ; else 0.
    """
    return digest("question", page, str(round), *sorted(item.id for item in items))


def verdict_of(choice: str, same_means: str) -> Verdict:
    """The verdict on a finding that a choice gives; same_means: the verdict that "the same person" gives."""
    if choice not in ("same", "other", "different"):
        return "unsure"
    return "yes" if (choice == "same") == (same_means == "yes") else "no"
