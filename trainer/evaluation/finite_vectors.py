"""Refuses embeddings that are not finite, before a figure is computed from them.

A comparison with nan is never true. A model that gives nan would therefore have no impostor above any threshold, and
the best figures of all.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

ROWS_AT_ONCE = 1 << 16  # of length 512 they take 32 MB as a mask


def check_finite(x: NDArray[Any], what: str) -> None:
    """Raise UserError when a row of x [n, d] holds a nan or an infinite number; what: the rows' name, for messages."""
    starts = range(0, len(x), ROWS_AT_ONCE)
    wrong = [start + np.flatnonzero(~np.isfinite(x[start : start + ROWS_AT_ONCE]).all(1)) for start in starts]
    rows = np.concatenate([np.empty(0, np.intp), *wrong])
    if len(rows):
        raise UserError(
            f"{len(rows)} of {len(x)} {what} are not finite (the first is row {rows[0]}): "
            "train the model again, or give another model"
        )
