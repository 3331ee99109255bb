"""Tables of truth come back as they were written, and `refinery score` reads the same."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.sample.cases.truth_tables import COLUMNS, IDENTITIES, TRUTH, read_rows, write_mappings, write_rows


def test_cells_with_quotes_come_back_here_and_in_the_score(tmp_path: Path) -> None:
    rows = [('a "b"/1.jpg', 'a "b"', '"p', "clean", ""), ('a "b"/2.jpg', 'a "b"', "q", "duplicate", 'a "b"/1.jpg')]
    write_rows(tmp_path, TRUTH, COLUMNS, rows)
    assert [tuple(row.values()) for row in read_rows(tmp_path)] == rows
    truth = read_truth(tmp_path)
    assert list(zip(truth.keys, truth.claimed, truth.person, truth.kind, strict=True)) == [row[:4] for row in rows]
    assert truth.original.tolist() == [-1, 0]


def test_plain_cells_are_written_plain(tmp_path: Path) -> None:
    write_mappings(tmp_path, IDENTITIES, ("claimed", "persons"), [{"claimed": "a", "persons": "p q", "more": 1}, {}])
    assert (tmp_path / IDENTITIES).read_bytes() == b"claimed\tpersons\na\tp q\n\t\n"


def test_a_missing_table_and_a_missing_column_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give a folder with photos"):
        read_rows(tmp_path)
    assert read_rows(tmp_path, IDENTITIES, ("claimed",), optional=True) == []
    (tmp_path / TRUTH).write_text("path\tclaimed\nx\ty\n")
    with pytest.raises(UserError, match=r"expected the tab-separated columns path, .* without person"):
        read_rows(tmp_path)
