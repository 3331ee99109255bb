"""labels.tsv: one row for each photo, whatever the names, and no cell that a spreadsheet would run."""

import csv
from pathlib import Path

import pyarrow as pa

from flows.refine.labels import COLUMNS, labels
from pipeline import schema
from pipeline.sources.text_lists import read_table
from pipeline.tables.build import build
from tests.builders.tables.partial_refinement import publish_partial

NAMES = [
    "plain",
    "a\rb",
    "a\nb",
    "a\tb",
    'a"b',
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-x",
    "@SUM(A1)",
    "'=quoted",
    "\rc",
    "\td",
]


def labels_of(names: list[str]) -> pa.Table:
    rows = [
        {"face_id": f"{i}", "key": f"{n}/{i}.jpg", "claimed": n, "identity": n, "reason": "", "score": -1.5}
        for i, n in enumerate(names)
    ]
    return pa.Table.from_pylist(rows, schema=schema.LABELS)


def test_names_of_any_kind_are_one_row_each_and_no_formula(tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    publish_partial(root, labels=build(root, "labels", labels_of, [NAMES], schema=schema.LABELS))
    file = tmp_path / "labels.tsv"
    assert labels(root, file).photos == len(NAMES)
    rows = read_table(file, COLUMNS, delimiters="\t")
    assert [row["claimed"] for row in rows] == [row["identity"] for row in rows] == NAMES
    assert [row["key"] for row in rows] == [f"{name}/{i}.jpg" for i, name in enumerate(NAMES)]
    assert {row["score"] for row in rows} == {"-1.5000"}
    with open(file, newline="", encoding="utf-8") as stream:
        cells = [cell for row in csv.reader(stream, delimiter="\t") for cell in row[:4]]
    assert len(cells) == 4 * (len(NAMES) + 1)
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r") and cell]
