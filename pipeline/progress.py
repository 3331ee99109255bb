"""The progress of a stage: a bar on a terminal; in a log at most one line every ten seconds, and one at its end."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger("refinery")
LINE_EVERY_S = 10.0  # without a terminal


@contextmanager
def stage_progress(
    stage: str, *, total: int, existing: int = 0, unit: str = "shards"
) -> Iterator[Callable[[int], None]]:
    """Show the progress of the stage that runs in this block.

    Yields a function to call after each unit (such as a shard) with the number of rows in it. total: units of the
    stage; existing: how many of them an earlier run made. The last line is logged only if the block raises no error.
    """
    started, counts = monotonic(), _Counts()
    with _bar(stage, total, existing, unit) if sys.stderr.isatty() else _lines(stage, total, existing, unit) as show:

        def advance(rows: int) -> None:
            counts.add(rows)
            show(counts, monotonic() - started)

        yield advance
    seconds = monotonic() - started
    work = f"{counts.units} of {total} {unit} made, {counts.rows} rows"
    log.info("%s: %s, %.1f s, %.0f rows/s", stage, work, seconds, counts.rows / max(seconds, 1e-9))


class _Counts:
    """The units and rows that this run has made so far."""

    def __init__(self) -> None:
        self.units = self.rows = 0

    def add(self, rows: int) -> None:
        """Count one more unit with this number of rows."""
        self.units += 1
        self.rows += rows


Show = Callable[[_Counts, float], None]  # draws the counts; the second argument: seconds since the stage began


@contextmanager
def _bar(stage: str, total: int, existing: int, unit: str) -> Iterator[Show]:
    """A bar on the terminal, removed when the stage ends."""
    columns = (
        TextColumn("{task.description:12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(stage, total=total, completed=existing, rate="")

        def show(counts: _Counts, seconds: float) -> None:
            rate = f"{counts.rows / max(seconds, 1e-9):.0f} rows/s"
            bar.update(task, completed=existing + counts.units, rate=rate)

        yield show


@contextmanager
def _lines(stage: str, total: int, existing: int, unit: str) -> Iterator[Show]:
    """A log line every LINE_EVERY_S seconds at most."""
    last_s = 0.0

    def show(counts: _Counts, seconds: float) -> None:
        nonlocal last_s
        if seconds - last_s >= LINE_EVERY_S:
            last_s = seconds
            units = existing + counts.units
            log.info("%s: %d of %d %s, %d rows, %.0f s", stage, units, total, unit, counts.rows, seconds)

    yield show
