"""CPU and memory of commands that do hardly any work (`--help`, `--version`, `labels`), beside those of bare Python.

`labels` reads a small root that is drawn for it. It needs pyarrow, so it stands beside `import pyarrow`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from flows.benchmark.drawn.refinement import publish_drawn
from flows.benchmark.world import world
from flows.cli.options import Turns
from flows.cli.result import Result
from pipeline.errors import UserError

MB = 1024  # kilobytes, the unit in which Linux gives the largest size of a process
RUN = "from flows.cli.console import main; main()"
# starts a process and prints its usage; Linux counts the memory of the starting process as the new one's, so the
# starting process must be a small one
LAUNCHER = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(json.dumps([used.ru_utime, used.ru_stime, used.ru_maxrss], allow_nan=False))
sys.exit(os.waitstatus_to_exitcode(status))
"""
IDENTITIES, PHOTOS, DIM = 40, 400, 64  # of the root that `labels` reads


class Usage(NamedTuple):
    """Seconds of CPU of a process in user mode and in the kernel, and the most memory it held."""

    user_s: float
    system_s: float
    peak_mb: float


@dataclass(frozen=True)
class StartupTable(Result):
    """The median usage of each command."""

    usage: dict[str, Usage]
    turns: int

    def rows(self) -> list[dict[str, Any]]:
        """One row for each command, bare Python first."""
        return [
            {
                "command": command,
                "user CPU s": f"{usage.user_s:.2f}",
                "system CPU s": f"{usage.system_s:.2f}",
                "peak MB": f"{usage.peak_mb:.0f}",
            }
            for command, usage in self.usage.items()
        ]

    def lines(self) -> list[str]:
        """How it was measured."""
        return [f"medians of {self.turns} runs, the commands in turn; labels: {PHOTOS} drawn photos"]


def startup(
    turns: Turns = 5,
) -> StartupTable:
    """Measure user CPU seconds and peak memory of --help, --version and labels, beside python and import pyarrow."""
    if turns < 1:
        raise UserError(f"--turns {turns}: give 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        root = draw_root(Path(folder, "root"))
        labels = ["labels", root, "--out", str(Path(folder, "labels.tsv"))]
        commands = {
            "python -c pass": ["-c", "pass"],
            'python -c "import pyarrow"': ["-c", "import pyarrow"],
            "refinery --version": ["-c", RUN, "--version"],
            "refinery --help": ["-c", RUN, "--help"],
            "refinery labels ROOT": ["-c", RUN, *labels],
        }
        runs = [{name: _usage(words) for name, words in commands.items()} for _ in range(turns)]
    return StartupTable({name: _median([run[name] for run in runs]) for name in commands}, turns)


def draw_root(folder: Path) -> str:
    """A root with a small finished refinement of drawn embeddings; no model runs for it."""
    drawn = world(str(folder), identities=IDENTITIES, faces=PHOTOS, dim=DIM)
    publish_drawn(drawn.photos, drawn.faces, drawn.embeddings)
    return drawn.root


def _usage(words: Sequence[str]) -> Usage:
    """The usage of Python with these arguments. Raises UserError where it fails."""
    command = [sys.executable, "-I", "-S", "-c", LAUNCHER, sys.executable, *words]
    launcher = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if launcher.returncode:
        raise UserError(f"{' '.join(words)} failed: {launcher.stderr.strip()}")
    user_s, system_s, peak_kb = json.loads(launcher.stdout)
    return Usage(user_s, system_s, peak_kb / MB)


def _median(runs: Sequence[Usage]) -> Usage:
    return Usage(*(float(median(column)) for column in zip(*runs, strict=True)))
