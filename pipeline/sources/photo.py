"""A photo as a source lists it: the identity it claims, and where its bytes lie. No pixels are read to make one."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

Box = tuple[float, float, float, float]


class Photo(NamedTuple):
    """A photo, the identity that a data set claims for it, and where its bytes lie.

    Convention: box is x1, y1, x2, y2 with the origin top left; relative to the photo's width and height when all four
    are at most 1, in pixels otherwise. A photo with a failure has no bytes that can be read.
    """

    key: str  # the photo's name within its source
    identity: str | None
    file: str  # relative to the source's path; "" is the path itself
    offset: int = 0
    length: int = 0
    modified: int = 0  # of the file when it was indexed, nanoseconds
    box: Box | None = None  # of the face that shows the claimed identity, where the data set gives one
    failure: str | None = None


class PhotoChanged(Exception):  # noqa: N818  a fact about the photo, kept in its row, more than an error of the program
    """A photo's bytes are no longer what was indexed; the message says how."""


def distinct_keys(photos: Iterable[Photo]) -> Iterator[Photo]:
    """The photos with their keys made unique: the first of a key keeps it, a later one adds where its bytes lie.

    Holds the keys it has seen, so give it no more than one part of a source at a time.
    """
    seen: set[str] = set()
    for photo in photos:
        if photo.key in seen:
            photo = photo._replace(key=f"{photo.key}@{photo.file}:{photo.offset}")
        seen.add(photo.key)
        yield photo
