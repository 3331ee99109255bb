"""`refinery report`: a refinement, or two that are compared, as one HTML file, and its charts as PNG and SVG files.

Everything comes from the root's tables, shard by shard; faces are read only for what is shown.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.result import Result
from flows.report.comparison_page import comparison_page
from flows.report.refinement_page import refinement_page
from pipeline.errors import UserError
from pipeline.report.charts.drawing import write_charts
from pipeline.report.page import render
from pipeline.review.groups import read_groups

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Reported(Result):
    """The file that was written."""

    file: str
    megabytes: float
    findings: int
    faces: int
    plots: int
    seconds: float

    def lines(self) -> list[str]:
        """Where to look."""
        shown = f"{self.findings} findings with {self.faces} faces, {self.plots} plots, {self.megabytes:.1f} MB"
        return [f"{shown}, made in {self.seconds:.1f} s", f"to look at: {self.file}"]


def report(
    root: Annotated[str, typer.Argument(metavar="[ROOT]", help="A refinement's root; not with --compare.")] = "",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    plots: Annotated[str, typer.Option(help="A folder for each plot as PNG and SVG.")] = "",
    compare: Annotated[
        tuple[str, str], typer.Option(metavar="A B", help="Two refinements' roots, or two of evaluate's --json files.")
    ] = ("", ""),
    evaluation: Annotated[list[Path], typer.Option(help="An evaluation (evaluate's --json) to show, too.")] = [],  # noqa: B006
    groups: Annotated[str, typer.Option(help="A CSV with identity and group: noise by group, in this page only.")] = "",
    each: Annotated[int, typer.Option(help="Findings to show of each kind.")] = 60,
    megabytes: Annotated[float, typer.Option(help="The most that faces may take.")] = 12.0,
) -> Reported:
    """One HTML file from a refinement, or from two to compare: counts, plots, and faces of every kind of finding."""
    started = time.monotonic()
    if bool(root) == any(compare):
        raise UserError("give a root, or --compare A B: the one is shown, the other are held beside each other")
    if each < 1 or megabytes < 0:
        raise UserError(f"--each {each} --megabytes {megabytes:g}: give 1 or more, and 0 or more")
    max_bytes = int(megabytes * MEGABYTE)
    if any(compare):
        page = comparison_page(*compare, per_kind=each, max_bytes=max_bytes)
    else:
        group_of = {identity: known.group for identity, known in read_groups(groups).items()} if groups else {}
        page = refinement_page(root, evaluations=evaluation, groups=group_of, per_kind=each, max_bytes=max_bytes)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(render(page), "utf-8", errors="replace")  # a file's name may be no UTF-8
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror or error}): give --out a file to write") from None
    if plots:
        write_charts(page.charts, Path(plots))
    size = out.stat().st_size / MEGABYTE
    return Reported(str(out), size, page.entries, page.faces, len(page.charts), time.monotonic() - started)
