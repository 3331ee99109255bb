"""JSON has no nan and no infinity."""

import json
import math

from pipeline.json_values import finite_or_null


def test_numbers_that_are_not_finite_are_null_wherever_they_are() -> None:
    value = {"a": math.nan, "b": [1.5, math.inf, (2, -math.inf)], "c": {"d": {"e": math.nan}}, "f": "nan", "g": True}
    plain = finite_or_null(value)
    assert plain == {"a": None, "b": [1.5, None, [2, None]], "c": {"d": {"e": None}}, "f": "nan", "g": True}
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
