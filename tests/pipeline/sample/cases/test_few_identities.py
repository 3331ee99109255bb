"""Few identities of a data set, whose photos are dealt to several: the truth about them stays true."""

from collections import Counter

import pytest

from pipeline.errors import UserError
from pipeline.sample.cases.few_identities import choose_identities, deal_photos
from pipeline.sample.cases.truth_tables import Row

NAMES = [f"n{i}" for i in range(6)]
PERSONS = {name: f"P{i}" for i, name in enumerate(NAMES)}


def photos(identities: list[str]) -> list[Row]:
    """Four photos of each: two clean, a duplicate of the first, and one of the next identity's person."""
    rows: list[Row] = []
    for name in identities:
        i = NAMES.index(name)
        for k, person, kind, of in (
            (1, i, "clean", ""),
            (2, i, "clean", ""),
            (3, i, "duplicate", f"{name}/1.jpg"),
            (4, (i + 1) % 6, "flip", ""),
        ):
            rows.append({"path": f"{name}/{k}.jpg", "claimed": name, "person": f"P{person}", "kind": kind, "of": of})
    return rows


@pytest.mark.parametrize("names_each", [1, 2])
def test_the_photos_of_some_identities_are_dealt_with_their_truth(names_each: int) -> None:
    chosen = choose_identities(NAMES, 3, seed=1)
    before = photos(chosen)
    dealt = deal_photos(before, {name: PERSONS[name] for name in chosen}, names_each)
    assert Counter(row["was"] for row in dealt) == dict.fromkeys(chosen, 4)
    assert len({row["claimed"] for row in dealt}) == 3 * names_each
    claimed = {row["path"]: row["claimed"] for row in dealt}
    assert len(claimed) == 12
    for old, row in zip(before, dealt, strict=True):
        assert row["path"].split("/")[0] == row["claimed"]
        assert row["claimed"].partition("~")[0] == row["was"] == old["claimed"]
        if old["path"].endswith("4.jpg"):  # of the next person: a flip only where that person has an identity
            has_identity = row["person"] in {PERSONS[name] for name in chosen}
            assert row["kind"] == ("flip" if has_identity else "outlier")
        if row["kind"] == "duplicate":
            assert claimed[row["of"]] == row["claimed"]
    assert max(Counter(claimed.values()).values()) <= 4 - (names_each - 1)


def test_the_same_seed_chooses_the_same_identities_and_too_many_are_an_error() -> None:
    assert choose_identities(NAMES, 2, seed=4) == choose_identities(NAMES, 2, seed=4)
    assert len({tuple(choose_identities(NAMES, 2, seed)) for seed in range(9)}) > 3
    with pytest.raises(UserError, match="give 1 to 6"):
        choose_identities(NAMES, 7, seed=0)
