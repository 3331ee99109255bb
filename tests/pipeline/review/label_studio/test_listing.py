"""A listing is read to the number of rows that the server says it has, whatever the size of its pages."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio.listing import ListingPage, read_rows
from pipeline.review.label_studio.retry import NotFoundError


class Listing:
    """A listing of the rows 1 to `rows` with a cap on the rows of a page; the page after the last one is not found."""

    def __init__(self, rows: int, *, cap: int, total: int | None = None) -> None:
        self.ids, self.cap, self.total = list(range(1, rows + 1)), cap, total
        self.pages_read = 0

    def page(self, number: int) -> ListingPage:
        self.pages_read += 1
        ids = self.ids[(number - 1) * self.cap : number * self.cap]
        if number > 1 and not ids:
            raise NotFoundError("no such page")
        return page(ids, len(self.ids) if self.total is None else self.total)


def page(ids: Sequence[int], total: int) -> ListingPage:
    return ListingPage.checked([SimpleNamespace(id=i) for i in ids], total)


def read(fetch: Any) -> list[int]:
    return [row.id for rows in read_rows(fetch, listing="its tasks") for row in rows]


@pytest.mark.parametrize(("rows", "cap", "pages"), [(0, 100, 1), (38, 5, 8), (40, 5, 8), (100, 100, 1), (7, 1, 7)])
def test_all_rows_are_read_and_no_page_too_many(rows: int, cap: int, pages: int) -> None:
    listing = Listing(rows, cap=cap)
    assert read(listing.page) == list(range(1, rows + 1))
    assert listing.pages_read == pages


def test_a_server_that_ignores_the_page_number_is_an_error() -> None:
    with pytest.raises(UserError, match="its tasks: the server lists 5 of 38 rows, page 2 is page 1 again") as raised:
        read(lambda _: page(range(5), 38))
    assert "\n" not in str(raised.value)


def test_a_server_with_fewer_rows_than_it_counts_is_an_error() -> None:
    with pytest.raises(UserError, match="lists 5 of 6 rows, the further pages are empty"):
        read(Listing(5, cap=2, total=6).page)


def test_a_row_that_comes_while_the_listing_is_read_is_read_and_none_twice() -> None:
    listing = Listing(6, cap=2)

    def answered_meanwhile(number: int) -> ListingPage:
        if number == 3 and 0 not in listing.ids:
            listing.ids.insert(0, 0)  # all later rows move on by one place
        return listing.page(number)

    assert sorted(read(answered_meanwhile)) == list(range(7))


def test_a_listing_whose_first_page_is_missing_is_not_found() -> None:
    def missing(_: int) -> ListingPage:
        raise NotFoundError("no such project")

    with pytest.raises(NotFoundError):
        read(missing)


@pytest.mark.parametrize(
    ("rows", "total"), [(None, 0), ({}, 0), ([None], 1), ([SimpleNamespace(id="1")], 1), ([], None)]
)
def test_a_reply_of_another_form_is_no_page(rows: Any, total: Any) -> None:
    with pytest.raises(ValueError, match="a listing with"):
        ListingPage.checked(rows, total)


def test_a_last_page_that_is_repeated_instead_of_not_found_ends_the_listing() -> None:
    asked: list[int] = []

    def repeating(number: int) -> ListingPage:
        asked.append(number)
        return page([1, 2] if number == 1 else [3, 4], 5)

    with pytest.raises(UserError, match="lists 4 of 5 rows"):
        read(repeating)
    assert len(asked) < 10
