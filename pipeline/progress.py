"""What people see while they wait: a bar on a terminal, a line now and then in a log."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger("refinery")


@contextmanager
def bar(what: str, *, of: int, done: int = 0, unit: str = "shards") -> Iterator[Callable[[int], None]]:
    """A function to call after each finished unit, with the rows it held, for as long as the work lasts."""
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description:12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task(what, total=of, completed=done, rate="")
            started, rows = time.monotonic(), 0

            def advance(n: int) -> None:
                nonlocal rows
                rows += n
                shown.update(task, advance=1, rate=f"{rows / (time.monotonic() - started):.0f} rows/s")

            yield advance
    else:
        finished, started = done, time.monotonic()

        def line(n: int) -> None:
            nonlocal finished
            finished += 1
            log.info("%s: %d of %d %s, %d rows, %.1f s", what, finished, of, unit, n, time.monotonic() - started)

        yield line
