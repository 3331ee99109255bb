"""The one reader of lists: any encoding, line end and separator gives the same columns; tables can be written back."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.sources.photo_names import folded_path, path_tails
from pipeline.sources.text_lists import (
    all_lines,
    csv_rows,
    escape_cell,
    lines_of,
    numbered_lines,
    plain_cell,
    read_table,
    write_table,
)

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
LINE_ENDS = ("\n", "\r\n", "\r")
# a name in a list: no line end, no tab and no blank at its ends; all else, such as U+0085 and U+2028, may be in it
NAME = st.text(st.characters(exclude_characters="\t\n\r\0\ufeff", exclude_categories=["Cs"]), min_size=1, max_size=12)
PLAIN_NAME = NAME.map(str.strip).filter(lambda name: name and name == name.strip(" "))
CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding)


@quick
@given(
    rows=st.lists(st.lists(PLAIN_NAME, min_size=2, max_size=3), min_size=1, max_size=4),
    encoding=st.sampled_from(ENCODINGS[:3]),
    line_end=st.sampled_from(LINE_ENDS),
    ends=st.booleans(),
)
def test_columns_between_tabs_are_the_same_in_every_encoding(
    tmp_path: Path, rows: list[list[str]], encoding: str, line_end: str, ends: bool
) -> None:
    file = tmp_path / "list.txt"
    text = line_end.join("\t".join(row) for row in rows) + (line_end if ends else "")
    file.write_bytes(encoded(text, encoding))
    assert numbered_lines(file) == list(enumerate(rows, start=1))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_lines_are_numbered_and_blanks_separate_where_no_tab_does(tmp_path: Path, encoding: str, line_end: str) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(encoded(line_end.join(["m.1/1.jpg  m.1", "", "  Zoë Bell\tm.2 ", "東京\u2028x"]), encoding))
    expected = [(1, ["m.1/1.jpg", "m.1"]), (3, ["Zoë Bell", "m.2"]), (4, ["東京\u2028x"])]
    assert numbered_lines(file) == expected
    assert all_lines(file) == ["m.1/1.jpg  m.1", "", "  Zoë Bell\tm.2 ", "東京\u2028x"]


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"caf\xe9.jpg\n", b"\xff\xfea\0b", b"\0" * 9])
def test_a_file_that_is_not_text_is_an_error_of_one_line(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(data)
    for read in (
        lambda f: list(lines_of(f)),
        numbered_lines,
        lambda f: list(csv_rows(f)),
        all_lines,
        lambda f: read_table(f, ("a",)),
    ):
        with pytest.raises(UserError, match=r"list\.txt is not text in UTF-8 or UTF-16"):
            read(file)
    with pytest.raises(UserError, match=r"cannot read .*none\.txt"):
        numbered_lines(tmp_path / "none.txt")


@quick
@given(rows=st.lists(st.tuples(CELL, CELL, st.integers()), max_size=5))
def test_a_table_that_was_written_is_read_back(tmp_path: Path, rows: list[tuple[str, str, int]]) -> None:
    file = tmp_path / "table.tsv"
    with open(file, "w", newline="", encoding="utf-8") as stream:
        write_table(stream, ("key", "identity", "n"), rows)
    back = read_table(file, ("key", "identity"), delimiters="\t")
    assert [(r["key"], r["identity"], int(r["n"])) for r in back] == rows
    # for any other reader of tab-separated text as well, but for the escaped cells
    with open(file, newline="", encoding="utf-8") as stream:
        others = list(csv.DictReader(stream, delimiter="\t"))
    assert [(plain_cell(r["key"]), plain_cell(r["identity"])) for r in others] == [row[:2] for row in rows]


@given(text=st.text(st.sampled_from("'=+-@\t\ra1."), max_size=5))
def test_no_cell_is_a_formula_and_escaping_is_undone(text: str) -> None:
    is_number = re.fullmatch(r"[+-]\d+(\.\d+)?", text)
    assert is_number or escape_cell(text)[:1] not in tuple("=+-@\t\r")
    assert plain_cell(escape_cell(text)) == text


def test_carriage_returns_are_quoted_and_numbers_are_not_escaped() -> None:
    stream = io.StringIO()
    write_table(stream, ("key", "score"), [("a\rb", "c"), ("=1+1", "-0.5"), ("plain", "")])
    assert stream.getvalue() == 'key\tscore\n"a\rb"\tc\n\'=1+1\t-0.5\nplain\t\n'


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_delimiter_of_a_table_is_the_one_that_gives_its_columns(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    file = tmp_path / "groups.csv"
    file.write_bytes(encoded(f"identity{delimiter}group\r\nAnn{delimiter}one\r\nBob\r\n", encoding))
    assert read_table(file, ("group", "identity")) == [
        {"identity": "Ann", "group": "one"},
        {"identity": "Bob", "group": None},
    ]


@pytest.mark.parametrize(
    "spelling",
    ["./Zoe\u0308 A/1_2.jpg", "Zoë_A\\1_2.JPEG", "Zoë A/1 2.png", "/Zoë A//1_2", ".\\Zoë A\\.\\1_2.webp"],
)
def test_spellings_of_one_photo_are_folded_to_one_path(spelling: str) -> None:
    assert folded_path(spelling) == "Zoë_A/1_2"


def test_the_tails_of_a_path_keep_one_folder() -> None:
    assert list(path_tails("a/b/c/1")) == ["a/b/c/1", "b/c/1", "c/1"]
    assert list(path_tails("1")) == ["1"]
