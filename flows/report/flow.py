"""`refinery report`: one HTML file about a refinement, or about two compared, and its charts as PNG and SVG files.

The root's tables are read shard by shard; faces are read only for the findings that are shown.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import NONE_GIVEN, Against, Each, Groups, Megabytes, OutFile, Root
from flows.cli.out_file import check_out
from flows.cli.result import Result
from flows.report.comparison_page import comparison_page
from flows.report.gallery_address import without_key
from flows.report.refinement_page import refinement_page
from flows.report.result_charts import is_evaluation
from pipeline.errors import UserError
from pipeline.report.charts.drawing import write_charts
from pipeline.report.html.page import page_mark, render
from pipeline.review.groups import read_groups
from pipeline.whole_files import write_whole

MEGABYTE = 1_000_000
NO_FILES: list[Path] = []  # never changed


@dataclass(frozen=True)
class ReportFile(Result):
    """The page that was written, and how many findings, faces and plots it shows."""

    file: str
    megabytes: float
    findings: int
    faces: int
    plots: int
    seconds: float

    def lines(self) -> list[str]:
        """What the page shows, and where it is."""
        shown = f"{self.findings} findings with {self.faces} faces, {self.plots} plots, {self.megabytes:.1f} MB"
        return [f"{shown}, made in {self.seconds:.1f} s", f"open in a browser: {self.file}"]


def report(
    root: Root,
    out: OutFile = Path("report.html"),
    *,
    plots: Annotated[str, typer.Option(help="Folder to write each plot to, as PNG and SVG.")] = "",
    against: Against = NONE_GIVEN,
    evaluation: Annotated[
        list[Path], typer.Option(help="A JSON file of `refinery evaluate --json` to show as well; may be repeated.")
    ] = NO_FILES,
    groups: Groups = "",
    each: Each = 60,
    megabytes: Megabytes = 12.0,
    browse: Annotated[
        str, typer.Option(help="Address of `refinery browse` of the same root, up to its port: faces link to it.")
    ] = "",
    photo_megabytes: Annotated[
        float, typer.Option(help="Megabytes that whole photos may take, shown beside a face that is clicked on.")
    ] = 0.0,
) -> ReportFile:
    """Write one HTML file: counts, plots, and faces of every kind of finding.

    With --groups it shows noise by group; groups are in no other output. With --photo-megabytes a
    click on a face also shows its whole photo, with a box around every face. With --against the page compares two
    roots, or two JSON files of `evaluate --json`.
    """
    started = time.monotonic()
    if len(against) > 1 or (is_evaluation(root) and not against):
        raise UserError(f"{root} with {len(against)} --against: give a root, or A --against B, both of the same kind")
    if each < 1 or not 0 <= megabytes < math.inf or not 0 <= photo_megabytes < math.inf:
        sizes = f"--megabytes {megabytes:g} --photo-megabytes {photo_megabytes:g}"
        raise UserError(f"--each {each} {sizes}: give 1 or more, and 0 or more")
    if photo_megabytes and against:
        raise UserError("--photo-megabytes with --against: give --photo-megabytes for a report of one root")
    gallery = without_key(browse)
    if gallery and against:
        raise UserError("--browse with --against: give --browse for a report of one root")
    check_out(out, page_mark("refinery report"), kind="a page of `refinery report`", roots=[root, *against])
    max_bytes = int(megabytes * MEGABYTE)
    if against:
        page = comparison_page(root, against[0], per_kind=each, max_bytes=max_bytes)
    else:
        group_of = {identity: known.group for identity, known in read_groups(groups).items()} if groups else {}
        page = refinement_page(
            root,
            evaluations=evaluation,
            groups=group_of,
            per_kind=each,
            max_bytes=max_bytes,
            photo_bytes=int(photo_megabytes * MEGABYTE),
        )._replace(gallery=gallery)
    content = render(page).encode("utf-8", "replace")
    try:
        write_whole(out, content)
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror or error}): give --out a file to write") from None
    if plots:
        write_charts(page.charts, Path(plots))
    size = len(content) / MEGABYTE
    return ReportFile(str(out), size, page.entries, page.faces, len(page.charts), time.monotonic() - started)
