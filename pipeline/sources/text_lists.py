"""The one reader of text lists and of tables of text, those of test sets and those that users write.

Lists come from every system: in UTF-8 with or without a byte order mark or in UTF-16, with lines that end in LF, CR LF
or CR, with tabs or blanks between columns. Only these three line ends end a line, because names may hold others, and
where a line holds a tab, a blank is part of a name.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import UserError

MAX_DIGITS = 9
HEAD_BYTES = 4096  # by which the encoding is recognised
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# a cell that a spreadsheet would run as a formula, or that is escaped already
FORMULA = re.compile(r"'*[=+\-@\t\r]")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")  # no formula, though it may begin like one


def whole_number(word: str) -> int | None:
    """A word of at most MAX_DIGITS ASCII digits as a whole number; None for any other word."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS else None


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """The number, from 1, and the text of each line of a list that is not blank, without blanks around it.

    Raises UserError for a file that cannot be read or is not text.
    """
    with _text(file, newline=None) as stream:
        try:
            for number, line in enumerate(stream, start=1):
                if text := line.strip(" \t\n"):
                    yield number, text
        except ValueError:
            raise _not_text(file) from None


def all_lines(file: Path) -> list[str]:
    """The text of every line of a list, blank ones too, for lists whose line numbers mean something."""
    with _text(file, newline=None) as stream:
        try:
            return [line.removesuffix("\n") for line in stream]
        except ValueError:
            raise _not_text(file) from None


def numbered_lines(file: Path) -> list[tuple[int, list[str]]]:
    """The number, from 1, and the columns of each line of a list that is not blank; errors as lines_of()."""
    return [(number, columns(line)) for number, line in lines_of(file)]


def columns(line: str) -> list[str]:
    """The columns of a line: between tabs if it has any, else between blanks."""
    if "\t" in line:
        return [column.strip(" ") for column in line.split("\t")]
    return [column for column in line.split(" ") if column]


def csv_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of the last line and the cells of each row of a CSV file that is not blank.

    Cells have no blanks around them, and empty ones at the end of a row are left out. Errors as lines_of().
    """
    with _text(file, newline="") as stream:
        reader = csv.reader(stream)
        try:
            for cells in reader:
                row = [plain_cell(cell.strip(" ")) for cell in cells]
                while row and not row[-1]:
                    row.pop()
                if row:
                    yield reader.line_num, row
        except (ValueError, csv.Error):
            raise _not_text(file) from None


def read_table(file: Path, required: Sequence[str], *, delimiters: str = ",;\t") -> list[dict[str, Any]]:
    """The rows of a table with a header, by column; a cell that a row lacks is None.

    delimiters: characters that may separate columns; the first is taken where none gives the required columns. Cells
    that escape_cell() escaped are plain again. Raises UserError for a file that cannot be read or is not text; whether
    the required columns are there is for the caller to check.
    """
    with _text(file, newline="") as stream:
        try:
            header = stream.readline()
            stream.seek(0)
            fitting = (d for d in delimiters if set(required) <= set(_cells(header, d)))
            rows = csv.reader(stream, delimiter=next(fitting, delimiters[0]))
            names = [name.strip() for name in next(rows, [])]
            cells = [[plain_cell(cell) for cell in row] for row in rows if row]
        except (ValueError, csv.Error):
            raise _not_text(file) from None
    return [{name: row[i] if i < len(row) else None for i, name in enumerate(names)} for row in cells]


def write_table(stream: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write tab-separated rows under a header for people and programs; stream: opened with newline="".

    Strings that a spreadsheet would run are escaped. Cells with a tab, a quote, CR or LF are quoted.
    """
    # csv quotes the characters of the line end, so CR and LF alike; before Python 3.11.9 it quotes no other line end
    writer = csv.writer(_LineFeeds(stream), delimiter="\t", lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([escape_cell(cell) if isinstance(cell, str) else cell for cell in row])


def _cells(header: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([header], delimiter=delimiter), [])]


class _LineFeeds:
    """A stream for csv.writer, which writes a row at a time: rows end in LF alone."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, row: str) -> None:
        self.stream.write(row.removesuffix("\r\n") + "\n")


def escape_cell(text: str) -> str:
    """A cell with an apostrophe before it where a spreadsheet would take it for a formula: = + - @, tab or CR."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def plain_cell(text: str) -> str:
    """A cell without the apostrophe that escape_cell() put before it."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _text(file: Path, *, newline: str | None) -> TextIO:
    """A file opened as text of the encoding that its first bytes show."""
    try:
        with open(file, "rb") as stream:
            head = stream.read(HEAD_BYTES)
        return open(file, encoding=_encoding(file, head), newline=newline)
    except OSError as error:
        raise UserError(f"cannot read {file} ({error.strerror or error}): give a text file") from None


def _encoding(file: Path, head: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:
        return "utf-8"
    # UTF-16 without a mark: every other byte of Latin letters is 0
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) / 5 and min(even, odd) == 0:
        return "utf-16-le" if odd else "utf-16-be"
    raise _not_text(file)


def _not_text(file: Path) -> UserError:
    return UserError(f"{file} is not text in UTF-8 or UTF-16: save it as UTF-8 text")
