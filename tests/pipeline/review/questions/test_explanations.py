"""The hints for annotators: how many other people look as similar, by chance."""

import pytest

from pipeline.review.questions.explanations import explain


@pytest.mark.parametrize(
    ("kind", "far", "persons", "hint"),
    [
        ("outlier", 1 / 7351, 1, "chance match: 1 in 7,351"),
        ("outlier", 0.3, 1, "chance match: 1 in 3"),
        ("outlier", 0.45, 1, "chance match: likely"),
        ("split", 1e-9, 1, "chance match: less than 1 in 1,000,000"),
        ("outlier", 0.0, 1, "chance match: less than 1 in 1,000,000"),
        ("merge", 1e-5, 200, "chance match: 1 in 500"),
        ("overlap", 1e-3, 1000, "chance match: likely"),
        ("misplaced", 1e-9, 10, "chance match: less than 1 in 1,000,000"),
        ("outlier", float("nan"), 1, "nothing to compare with"),
    ],
)
def test_the_hint_of_a_finding(kind: str, far: float, persons: int, hint: str) -> None:
    assert explain(kind, far, persons=persons) == hint
