"""Questions and small pictures for tests; the pictures differ in colour."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import cv2
import numpy as np

from pipeline.review.label_studio.images import PictureAddresses
from pipeline.review.label_studio.page_data import task_data
from pipeline.review.questions.question import GRID, MIXED, PAIR, FacePicture, Item, Question, question_id


def pictures(faces: Sequence[str], alone: Sequence[str] = ()) -> dict[str, FacePicture]:
    """A picture for each face, by its id: a square and a stripe in colours that depend on the id."""
    return {f: FacePicture(_drawn(f), _drawn(f"{f} large")) for f in (*faces, *alone)}


def grid(name: str, cells: int = 3, machine_verdict: str = "yes") -> Question:
    """A grid question: which faces are not the person of an identity?"""
    items = tuple(Item(f"{name}.{i}", f"{name}-{i}", machine_verdict, "unlike the others") for i in range(cells))
    left = tuple(f"{name}-sure-{i}" for i in range(4))
    return Question(question_id(GRID, items), GRID, name, left, (), items)


def pair(name: str, machine_verdict: str = "no", same_means: str = "yes") -> Question:
    """A pair question: do two groups of faces show the same person?"""
    items = (Item(f"{name}.pair", "", machine_verdict, "as like as two of one person"),)
    left, right = tuple(f"{name}-one-{i}" for i in range(2)), tuple(f"{name}-two-{i}" for i in range(2))
    return Question(question_id(PAIR, items), PAIR, name, left, right, items, "one", "the other", same_means)


def mixed(name: str, photos: int = 4) -> Question:
    """A question about an identity of which no two photos are similar to the machine."""
    faces = tuple(f"{name}-{i}" for i in range(photos))
    items = (Item(f"{name}.mixed", "", "yes", ""), *(Item(f"{name}.{i}", f, "unsure", "") for i, f in enumerate(faces)))
    return Question(question_id(MIXED, items), MIXED, name, faces, (), items)


class OwnAddress(dict[str, str]):
    """Addresses of pictures: the address of a face is its id."""

    def __missing__(self, face: str) -> str:
        return face


NO_ADDRESSES = PictureAddresses(OwnAddress(), OwnAddress(), OwnAddress())  # the address of a picture is the face's id


def data(question: Question) -> dict[str, Any]:
    """The data of a question's task; the address of each face's picture is the face's id."""
    return task_data(question, NO_ADDRESSES)


def ids(*questions: Question) -> set[str]:
    """The ids of all items of these questions."""
    return {item.id for q in questions for item in q.items}


def _drawn(face: str) -> bytes:
    colours = np.frombuffer(blake2b(face.encode(), digest_size=6).digest(), np.uint8).reshape(2, 3)
    image = np.repeat(colours.repeat((112, 80), axis=0)[None], 112, axis=0)
    cv2.circle(image, (56, 56), 34, (255, 255, 255), -1)
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(image))[1])
