"""How far a stage is: a bar on a terminal, and in a log at most one line every ten seconds, and one when it ends."""

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
def stage_progress(stage: str, *, total: int, done: int = 0, unit: str = "shards") -> Iterator[Callable[[int], None]]:
    """A function to call after each unit that is made, with the rows that it holds, for as long as the stage lasts.

    total: units of the stage, done: those that were there before. A line says when the stage ends well; nothing more
    is said of one that raises.
    """
    started, counts = monotonic(), _Counts()
    with _bar(stage, total, done, unit) if sys.stderr.isatty() else _lines(stage, total, done, unit) as show:

        def advance(rows: int) -> None:
            counts.add(rows)
            show(counts, monotonic() - started)

        yield advance
    seconds = monotonic() - started
    made = f"{counts.units} of {total} {unit} made, {counts.rows} rows"
    log.info("%s: %s, %.1f s, %.0f rows/s", stage, made, seconds, counts.rows / max(seconds, 1e-9))


class _Counts:
    """Units and rows that were made until now."""

    def __init__(self) -> None:
        self.units = self.rows = 0

    def add(self, rows: int) -> None:
        """One more unit, which holds so many rows."""
        self.units += 1
        self.rows += rows


Show = Callable[[_Counts, float], None]  # the counts, and the seconds that they took


@contextmanager
def _bar(stage: str, total: int, done: int, unit: str) -> Iterator[Show]:
    """A bar on the terminal, which is gone when the stage ends."""
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
        task = bar.add_task(stage, total=total, completed=done, rate="")

        def show(counts: _Counts, seconds: float) -> None:
            rate = f"{counts.rows / max(seconds, 1e-9):.0f} rows/s"
            bar.update(task, completed=done + counts.units, rate=rate)

        yield show


@contextmanager
def _lines(stage: str, total: int, done: int, unit: str) -> Iterator[Show]:
    """A line of the log now and then."""
    last_s = 0.0

    def show(counts: _Counts, seconds: float) -> None:
        nonlocal last_s
        if seconds - last_s >= LINE_EVERY_S:
            last_s = seconds
            log.info("%s: %d of %d %s, %d rows, %.0f s", stage, done + counts.units, total, unit, counts.rows, seconds)

    yield show
