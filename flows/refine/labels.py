"""`refinery labels`: writes the label of every photo to a text file of tab-separated columns.

Only the labels table is read, and no library heavier than pyarrow is imported.
"""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.cli.options import OutFile, Root
from flows.cli.out_file import check_out
from flows.cli.result import Result
from pipeline import refinement
from pipeline.errors import UserError
from pipeline.sources.text_lists import write_table
from pipeline.tables.table import Table
from pipeline.whole_files import whole_file

COLUMNS = ("key", "claimed", "identity", "reason", "score")
HEADER = re.compile(rb"\A" + "\t".join(COLUMNS).encode() + rb"\r?\n")


@dataclass(frozen=True)
class LabelsFile(Result):
    """The file that was written, and how many photos it lists."""

    file: str
    photos: int

    def lines(self) -> list[str]:
        """One line for people."""
        return [f"labels of {self.photos} photos: {self.file}"]


def labels(root: Root, out: OutFile) -> LabelsFile:
    """Write one row for every photo: key, claimed, identity (empty: removed), reason, score; tabs between.

    key: the photo's path in its source. claimed: its identity in the source. score: that of the finding that decided.
    A name that a spreadsheet would run as a formula has an apostrophe before it.
    """
    table = refinement.latest(root).labels
    if not out.name:
        raise UserError(f"cannot write {str(out)!r}: give --out a file in a folder that exists")
    check_out(out, HEADER, kind="a list of labels", roots=[root])
    try:
        if not out.parent.is_dir():
            raise NotADirectoryError(errno.ENOENT, "no such folder")
        with whole_file(out) as temporary:
            _write_tsv(table, temporary)
    except OSError as error:
        raise UserError(
            f"cannot write {out} ({error.strerror or error}): give --out a file in a folder that exists"
        ) from None
    return LabelsFile(str(out), len(table))


def _write_tsv(table: Table, file: Path) -> None:
    with open(file, "w", newline="", encoding="utf-8") as stream:
        write_table(stream, COLUMNS, _rows(table))


def _rows(table: Table) -> Iterator[tuple[str | None, ...]]:
    """The columns of each photo as text."""
    for rows in table.batches(COLUMNS):
        *words, scores = (rows[c].to_pylist() for c in COLUMNS)
        yield from zip(*words, ("" if s is None else f"{s:.4f}" for s in scores), strict=True)
