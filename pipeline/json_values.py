"""JSON has no nan and no infinity: numbers that are not finite are written as null.

Python's json writes them as NaN and Infinity, which other programs refuse to read. So every call of json.dumps in these
packages forbids them (a test checks it), and what may hold such numbers passes through here first.
"""

import math
from collections.abc import Mapping
from typing import Any


def finite_or_null(value: Any) -> Any:
    """The value with None in place of every float that is not finite, also inside mappings, lists and tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite_or_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_null(item) for item in value]
    return value
