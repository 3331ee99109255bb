"""Photos of a test set whose list gives five landmarks each, so that faces are aligned without a detector."""

from collections.abc import Sequence
from typing import NamedTuple

PHOTOS_PER_SHARD = 2048
MAX_COORDINATE = 1e9  # pixels: larger than any picture


class LandmarkedPhoto(NamedTuple):
    """A photo's path, its file's size and modification time (size -1: no such file), and x and y of its landmarks [10].

    Convention: pixels of the photo; left eye, right eye, nose tip, left and right mouth corner. The path is relative to
    the test set's folder of photos.
    """

    path: str
    size: int
    modified: int
    landmarks: Sequence[float]
