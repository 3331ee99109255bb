"""Reads a listing of a server page by page, up to the number of rows that the server says it has.

A server may give fewer rows a page than it was asked for. Rows may come and go while the pages are read, so a listing
that ends too early is read a second time, and a row that comes again is left out.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

from pipeline.errors import UserError
from pipeline.review.label_studio.retry import NotFoundError

PAGE_SIZE = 100  # rows of one page of a listing
PROJECT_FIELDS = (
    "id,title,description,created_at,label_config,expert_instruction,maximum_annotations,show_collab_predictions,"
    "task_number,num_tasks_with_annotations,finished_task_number,total_annotations_number"
)
PASSES = 2  # how often a listing that ends too early is read


class ListingPage(NamedTuple):
    """One page of a listing: its rows, and how many rows the whole listing has."""

    rows: list[Any]
    total: int

    @classmethod
    def checked(cls, rows: Any, total: Any) -> "ListingPage":
        """The page with these values of a reply. Raises ValueError when they cannot be rows and their number."""
        if not isinstance(rows, list) or not isinstance(total, int):
            raise ValueError("a listing without rows or without their number")
        if not all(isinstance(getattr(row, "id", None), int) for row in rows):
            raise ValueError("a listing with a row without an id")
        return cls(rows, total)


def read_rows(fetch: Callable[[int], ListingPage], *, listing: str) -> Iterator[list[Any]]:
    """The rows of a listing, each once, page by page.

    fetch: takes the number of a page, from 1 on, and returns the page; Label Studio answers 404 for the page after the
    last one. listing: words for error messages.
    Raises UserError when the server shows fewer rows than it counts, NotFoundError when the first page is missing.
    """
    seen: set[int] = set()
    total = 0
    for attempt in range(PASSES):
        last = list[int]()
        for number in count(1):
            try:
                page = fetch(number)
            except NotFoundError:
                if number == 1:
                    raise
                break
            ids = [row.id for row in page.rows]
            if number > 2 and ids == last:  # a proxy may repeat the last page where the server would answer 404
                break
            last = ids
            new = {row.id: row for row in page.rows if row.id not in seen}
            if attempt == 0 and number == 2 and page.rows and not new:
                raise UserError(_message(listing, seen, page.total, "page 2 is page 1 again"))
            seen |= new.keys()
            total = page.total
            if new:
                yield list(new.values())
            if not page.rows or len(seen) >= total:
                break
        if len(seen) >= total:
            return
    raise UserError(_message(listing, seen, total, "the further pages are empty"))


def _message(listing: str, seen: set[int], total: int, cause: str) -> str:
    return (
        f"{listing}: the server lists {len(seen)} of {total} rows, {cause}: look whether a proxy before it drops the "
        "page number (?page=2) from addresses; nothing was changed"
    )


def list_projects(sdk: Any, *, page: int) -> ListingPage:
    """A page of all projects of a server; sdk: its client."""
    pager = sdk.projects.list(include=PROJECT_FIELDS, page=page, page_size=PAGE_SIZE)
    page_read = ListingPage.checked(pager.items, pager.response.count)
    if not all(isinstance(row.created_at, datetime) for row in page_read.rows):
        raise ValueError("a project without the time when it was made")
    return page_read


def list_tasks(sdk: Any, *, project: int, page: int, fields: str, query: str | None = None) -> ListingPage:
    """A page of a project\'s tasks; fields: task_only, or all for the annotations, too; query: a filter."""
    pager = sdk.tasks.list(project=project, page=page, page_size=PAGE_SIZE, fields=fields, query=query)
    return ListingPage.checked(pager.items, pager.response.total)


def answered_since(since: datetime | None) -> str:
    """The filter for tasks with annotations that changed since a time of the server's clock; None: at any time."""
    filters = [_filter("total_annotations", "Number", 0)]
    if since:
        filters.append(_filter("updated_at", "Datetime", since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")))
    return json.dumps({"filters": {"conjunction": "and", "items": filters}}, allow_nan=False)


def _filter(column: str, kind: str, value: object) -> dict[str, object]:
    return {"filter": f"filter:tasks:{column}", "operator": "greater", "type": kind, "value": value}
