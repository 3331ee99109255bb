"""A photo as a source lists it: its claimed identity, and where its bytes lie. Listing a photo reads no pixels."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.errors import Unavailable

Box = tuple[float, float, float, float]


class Photo(NamedTuple):
    """A photo, the identity that a data set claims for it, and where its bytes lie.

    Convention: box is x1, y1, x2, y2 with the origin top left; relative to the photo's width and height when all four
    are at most 1, in pixels otherwise. A photo with a failure cannot be read.
    """

    key: str  # the photo's name within its source
    identity: str | None
    file: str  # relative to the source's path; "": the path itself is the file
    offset: int = 0
    length: int = 0
    modified: int = 0  # of the file when it was indexed, nanoseconds
    box: Box | None = None  # of the face that shows the claimed identity, where the data set gives one
    failure: str | None = None  # why the photo cannot be read


class PhotoChanged(Exception):  # noqa: N818  a fact about the photo, which its row keeps
    """A photo's bytes are no longer what was indexed; the message says how."""


class SourceUnreachable(Unavailable):
    """A source, or the storage that it lies on, does not answer; the message says where and what to do."""


def distinct_keys(photos: Iterable[Photo]) -> Iterator[Photo]:
    """The photos with their keys made unique.

    Of several photos with one key, the first keeps it, and the file and offset are added to the others'.
    All keys stay in memory, so call it for one part of a source at a time.
    """
    seen: set[str] = set()
    for photo in photos:
        if photo.key in seen:
            photo = photo._replace(key=f"{photo.key}@{photo.file}:{photo.offset}")
        seen.add(photo.key)
        yield photo
