"""The part of a data set that is read at once: a Parquet row group, or a run of RecordIO records."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]


class Chunk(NamedTuple):
    """n photos: labels [n], encoded faces, and for messages the name of each photo."""

    label: Int
    jpeg: list[bytes]
    name: list[str]
