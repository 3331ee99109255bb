"""Photos of a test set whose list gives five landmarks each, so that their faces are cut without a detector."""

from collections.abc import Sequence
from typing import NamedTuple

PHOTOS_PER_SHARD = 2048
MAX_COORDINATE = 1e9  # pixels: no picture has a point there


class LandmarkedPhoto(NamedTuple):
    """A photo's path below its folder, the size and modification time of its file, and x and y of its landmarks [10].

    Convention: pixels of the photo; left eye, right eye, nose tip, left and right mouth corner. Size -1: no such file.
    """

    path: str
    size: int
    modified: int
    landmarks: Sequence[float]
