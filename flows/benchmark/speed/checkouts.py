"""One command by the code of two checkouts of refinery, in turn: how much faster the first one is, with an interval.

The commands run in new processes of this Python, with its libraries; so only refinery's own code differs. Turns go
back and forth, and each compares both: a machine's speed drifts, and so do the other programs that run on it.
"""

import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.child_process import end_child, start_child
from pipeline.errors import UserError
from trainer.evaluation.compare import compare_seeds

RUN = "import sys; sys.argv[0] = 'refinery'; from flows.cli.app import main; main()"
ERROR_CHARACTERS = 300  # of what a failed command printed last


class Cost(NamedTuple):
    """Seconds of a command on the clock, and of the processor: its own and those of processes that it waited for."""

    wall_s: float
    cpu_s: float


class Speedup(NamedTuple):
    """How many times as long the other checkout takes, with its 95% interval over the turns (t, of the logarithms)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def run_in_turn(
    checkouts: tuple[Path, Path], words: Callable[[Path], Sequence[str]], turns: int, *, done: Callable[[], None]
) -> tuple[list[Cost], list[Cost]]:
    """What the command costs each checkout in each turn. done: called after each run.

    words: the command's words for a new folder, where it writes. Raises UserError where a checkout's command fails.
    """
    costs: tuple[list[Cost], list[Cost]] = [], []
    for turn in range(turns):
        for i in (0, 1) if turn % 2 else (1, 0):
            with tempfile.TemporaryDirectory() as folder:
                costs[i].append(_run(checkouts[i], words(Path(folder)), Path(folder)))
            done()
    return costs


def speedup(ours: Sequence[float], theirs: Sequence[float]) -> Speedup:
    """The geometric mean of theirs / ours over turns, two or more, and its interval."""
    logarithms = [[math.log(seconds) for seconds in costs] for costs in (theirs, ours)]
    return Speedup(*(math.exp(number) for number in compare_seeds(*logarithms, paired=True)))


def check_checkout(folder: Path) -> Path:
    """The absolute path of a checkout. Raises UserError where refinery's command line is not in the folder."""
    path = folder.absolute()
    if not (path / "flows/cli/app.py").is_file():
        raise UserError(
            f"{folder} is no checkout of refinery (it has no flows/cli/app.py): give the folder of one, as "
            "`git worktree add FOLDER COMMIT` makes it"
        )
    return path


def _run(checkout: Path, words: Sequence[str], folder: Path) -> Cost:
    """The cost of a command in a new process that imports a checkout's modules, and not those of the current folder."""
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # it would compile every module in every turn
    printed = folder / "printed.txt"
    with open(printed, "wb") as stream:
        before, start = _cpu_of_children(), time.monotonic()
        child = start_child(
            [sys.executable, "-P", "-c", RUN, *words], env=env, output=subprocess.DEVNULL, errors=stream
        )
        try:
            status = child.wait()
        finally:
            end_child(child)
        cost = Cost(time.monotonic() - start, _cpu_of_children() - before)
    if status:
        last = printed.read_text(errors="replace").strip()[-ERROR_CHARACTERS:]
        raise UserError(f"`refinery {words[0]}` of {checkout} ended with status {status}: {last}")
    return cost


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
