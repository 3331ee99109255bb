"""Results of commands: how they are printed, as an optional table with lines of text below it, or as JSON.

Standard output is for results only; log lines go to standard error.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, cast, runtime_checkable

from pipeline.json_values import finite_or_null
from pipeline.printable import printable


class Result(Protocol):
    """The result of a command; a frozen dataclass that inherits it gets `as_json` from its fields."""

    def lines(self) -> list[str]:
        """Lines of text for people: figures, paths of files, what to run next."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Plain values for programs: every field of the dataclass."""
        return asdict(cast("Any", self))


@runtime_checkable
class TableResult(Protocol):
    """A result with a table, which is printed above its lines."""

    def rows(self) -> Sequence[Mapping[str, object]]:
        """The rows from top to bottom; the first row has all columns."""
        ...


@runtime_checkable
class StatusResult(Protocol):
    """A result that decides the exit status of its command."""

    def exit_status(self) -> int:
        """The exit status of the command: 0, or 1 where something is wrong."""
        ...


def print_result(result: Result, *, as_json: bool) -> None:
    """Write a result to standard output: its table and its lines, or one JSON object, in which nan is null."""
    if as_json:
        values = finite_or_null(result.as_json())
        sys.stdout.write(json.dumps(values, indent=1, sort_keys=True, allow_nan=False) + "\n")
        return
    if isinstance(result, TableResult) and (rows := result.rows()):
        _print_table(rows)
    for line in result.lines():
        sys.stdout.write(printable(line) + "\n")


def text_table(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Rows as aligned lines of text under their column names, for a result with a second table among its lines."""
    columns = list(rows[0])
    cells = [columns, *([printable(str(row.get(column, ""))) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """A table that fits the terminal; 200 columns wide where there is none."""
    from rich.console import Console  # a twentieth of a second to load, and most results have no table
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None)
    for column in rows[0]:
        grid.add_column(Text(column))
    for row in rows:  # as Text, for rich would take brackets in a name for markup
        grid.add_row(*(Text(printable(str(row.get(column, "")))) for column in rows[0]))
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(grid)
