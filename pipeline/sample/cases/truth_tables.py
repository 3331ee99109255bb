"""The one reader and writer of tables of truth: truth.tsv, identities.tsv, overlap.tsv (see pipeline/README.md).

They are written as `refinery score` reads them: tab-separated, under a header, with quotes where a cell needs them.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.errors import UserError
from pipeline.tables import storage

TRUTH, IDENTITIES, OVERLAP = "truth.tsv", "identities.tsv", "overlap.tsv"
COLUMNS = ("path", "claimed", "person", "kind", "of")  # of truth.tsv
Row = dict[str, str]


def read_rows(
    folder: Path, name: str = TRUTH, columns: Sequence[str] = COLUMNS, *, optional: bool = False
) -> list[Row]:
    """The rows of a table in a folder, by column.

    optional: a table that is not there has no rows. Raises UserError for a table that cannot be read or lacks a column.
    """
    file = folder / name
    if optional and not file.exists():
        return []
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", restval=""))
    except (OSError, UnicodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot read {file} ({reason}): give a folder with photos/ and {TRUTH}") from None
    if rows and (missing := [column for column in columns if column not in rows[0]]):
        raise UserError(f"{file}: expected the tab-separated columns {', '.join(columns)}, without {missing[0]}")
    return rows


def write_rows(out: Path, name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table to a folder, whole or not at all. head: the names of the columns."""
    storage.put(str(out), name, table_text(head, rows).encode())


def write_mappings(out: Path, name: str, head: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows by column; a column that a row lacks is empty, and one that is not in `head` is left out."""
    write_rows(out, name, head, [[row.get(column, "") for column in head] for row in rows])


def table_text(head: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = "\t") -> str:
    """A table as text; rows end with LF. A cell with the delimiter, a quote or a line end is quoted."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
