"""How well wrong labels were found, counted by hand."""

import pytest

from flows.sample.label_noise_score import flagged

# a's photos 0-3 are right, 4 shows b, 5 a stranger; b's photos 6-8 are right; 9 is no photo and says nothing
CLAIMED = "aaaaaabbba"
PERSON = ["a", "a", "a", "a", "b", "", "b", "b", "b", ""]
KIND = ["clean"] * 4 + ["flip", "outlier"] + ["clean"] * 3 + ["junk"]
TRUTH = {
    str(i): {"claimed": c, "person": p, "kind": k}
    for i, (c, p, k) in enumerate(zip(CLAIMED, PERSON, KIND, strict=True))
}


def rows(identities: str, reasons: dict[int, str] | None = None) -> list[dict[str, str | None]]:
    """A row a photo, "-" for one that was removed."""
    return [
        {"key": str(i), "identity": None if c == "-" else c, "reason": (reasons or {}).get(i, "outlier")}
        for i, c in enumerate(identities)
    ]


@pytest.mark.parametrize(
    ("identities", "precision", "recall"),
    [
        ("aaaabbbbb-", 1, 0.5),  # the flip is brought home, and the stranger moved with it: seen, but not stopped
        ("aaaab-bbb-", 1, 1),
        ("aaaaaabbb-", 0, 0),
        ("aa--a-bbb-", 1 / 3, 0.5),  # two clean ones lost for the stranger
        ("xxxxy-yyya", 1, 1),  # what a name is called afterwards is of no matter
        ("aaax--bbb-", 2 / 3, 1),  # one clean photo parted from its name
    ],
)
def test_counted_by_hand(identities: str, precision: float, recall: float) -> None:
    found = flagged(rows(identities), TRUTH)
    assert found == pytest.approx((precision, recall))
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall) if precision + recall else 0)


def test_what_goes_for_another_reason_than_noise_is_not_held_against_the_cleaning() -> None:
    assert flagged(rows("a---b-bbb-", {1: "duplicate", 2: "too_few", 3: "overlap"}), TRUTH) == (1, 1)
