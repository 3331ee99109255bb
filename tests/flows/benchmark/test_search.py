"""A small search by every method: every measure is present, and codes miss next to nothing."""

import pytest

from flows.benchmark.search import CODES, EXACT, PEERS, search
from pipeline.errors import UserError


@pytest.mark.slow
def test_every_search_is_measured_beside_the_exact_one():
    comparison = search(persons=2000, queries=200, dim=64)
    rows = {row["search"]: row for row in comparison.rows()}
    assert list(rows) == [EXACT, CODES, *(name for name, _, _ in PEERS)]
    assert {float(rows[m]["nearest"]) for m in (EXACT, CODES, "faiss flat")} == {
        1
    }  # so few persons are searched exactly
    assert float(rows["faiss IVF, 64 of 1024 lists"]["nearest"]) < 1
    assert all(float(row["GB"]) > 0 for row in rows.values())
    assert comparison.lines()[0].startswith(
        "200 photos, 50% of them of unknown people, among 2,000 persons of 64 numbers"
    )


@pytest.mark.slow
def test_codes_miss_next_to_nothing():
    comparison = search(persons=20_000, queries=400, dim=256, only_ours=True)
    exact, coded = comparison.rows()
    assert float(coded["findings"]) >= 0.99
    assert float(coded["nearest"]) >= 0.98
    assert float(coded["5 nearest"]) < float(exact["5 nearest"]) == 1  # so the search was not exact


def test_mistakes_are_one_line():
    with pytest.raises(UserError, match="give at least 10 persons and queries, and embeddings of 8 numbers"):
        search(persons=1)
    with pytest.raises(UserError, match="--memory much: give a size"):
        search(memory="much")
