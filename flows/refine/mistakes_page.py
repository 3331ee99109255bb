"""The page of `refinery score --out`: the rates by kind of noise, and the faces of the mistakes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.cli.out_file import check_out
from pipeline.errors import UserError
from pipeline.refined.scoring.kinds_of_noise import INDENT
from pipeline.refined.scoring.known_truth import Truth
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.refinement import Refinement
from pipeline.report.html.page import ReportPage, Section, page_mark, render, table
from pipeline.report.mistakes.mistake_cards import find_mistakes, mistake_section
from pipeline.whole_files import write_whole

COMMAND = "refinery score"
NO_BREAK = "\u00a0"
INTERVALS = "In brackets: 95% intervals by a bootstrap over claimed identities."
LOST = "Clean photos that were removed as noise, as a share of all clean photos of that sort."
Rows = Sequence[Mapping[str, object]]


def check_page(out: Path, root: str) -> None:
    """Raise UserError where the page would replace a file that `refinery score` did not write, or one of the root."""
    check_out(out, page_mark(COMMAND), kind=f"a page of `{COMMAND}`", roots=[root])


def write_mistakes(
    out: Path,
    refinement: Refinement,
    labels: pa.Table,
    scored: tuple[ScoredPhotos, Truth],
    tables: Mapping[str, Rows],
    *,
    per_kind: int,
    max_bytes: int,
) -> dict[str, Any]:
    """Write the page; returns its file, and how many mistakes and faces it shows.

    labels: in the truth's order; scored: the same, coded, and the truth; tables: the rows "kinds" and "lost".
    """
    photos, truth = scored
    mistakes = find_mistakes(refinement, labels, photos, truth, per_kind=per_kind, max_bytes=max_bytes)
    kept = int(photos.kept.sum())
    page = ReportPage(
        f"Mistakes in the refinement of {' + '.join(refinement.options.sources) or 'faces'}",
        f"{len(labels):,} photos whose truth is known; {kept:,} are kept. {sum(mistakes.counts.values()):,} mistakes.",
        [
            Section("kinds", "By kind of noise", f'<p class="soft">{INTERVALS}</p>{_table(tables["kinds"])}'),
            Section("lost", "Clean photos lost", f'<p class="soft">{LOST}</p>{_table(tables["lost"])}'),
            Section("mistakes", "Mistakes", mistake_section(mistakes)),
        ],
        [],
        len(mistakes.entries),
        len(mistakes.faces.pictures),
        COMMAND,
    )
    try:
        write_whole(out, render(page))
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror or error}): give --out a file to write") from None
    return {"file": str(out), "mistakes": page.entries, "faces": page.faces}


def _table(rows: Rows) -> str:
    """HTML of a table; what stands before the name of a part, and blanks within an interval, are kept."""
    cells = [[_unbroken(value) for value in row.values()] for row in rows]
    return table(list(rows[0]) if rows else [], cells)


def _unbroken(value: object) -> object:
    if not isinstance(value, str):
        return value
    is_interval, kind = value.endswith("]"), value.removeprefix(INDENT)
    return value.replace(" ", NO_BREAK) if is_interval else (2 * NO_BREAK + "· " + kind if kind != value else value)
