"""A chunk: the part of a data set that is read at once, a Parquet row group or a run of RecordIO records."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


class Chunk(NamedTuple):
    """The n photos of a chunk: their labels [n], encoded faces and keys.

    A key identifies a photo in results and messages; a RecordIO file has none, so there it is the record's position.
    """

    label: IntArray
    jpeg: list[bytes]
    key: list[str]
