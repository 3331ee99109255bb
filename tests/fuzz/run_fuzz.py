"""Coverage-guided fuzzing of every reader of outside bytes: a process of atheris (libFuzzer) for each target.

One idea: a target's rules (fuzz_targets) are checked on inputs that are kept whenever they reach new branches. What was
kept stays in the folder, so that the next run goes on from there; a finding is a file that repeats it.
"""

import importlib.util
import logging
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import UserError
from tests.fuzz.targets import TARGETS, head

log = logging.getLogger("refinery")
SEEDS = Path(__file__).with_name("seeds")
LONGEST = 4096  # bytes of an input
PATIENCE_S, MEMORY_MB = 20, 2048  # of one input; more is a finding
TELL_S = 60.0  # between two lines about one target
PULSE = re.compile(r"#(?P<runs>\d+)\t.*cov: (?P<edges>\d+) ft: (?P<features>\d+) corp: (?P<kept>\d+)")


class Findings(AssertionError):  # noqa: N818  there are some
    """Readers that broke a rule: a fault of the program, with the inputs that show it."""


@dataclass(frozen=True)
class Run:
    """How far one target's fuzzer came, by its own count; found: the inputs that break a rule."""

    target: str
    minutes: float
    executions: int
    edges: int
    features: int
    kept: int
    found: list[str]


@dataclass(frozen=True)
class Fuzzed:
    """A run for each target."""

    runs: list[Run]

    def rows(self) -> list[dict[str, Any]]:
        """The runs in the order of the targets."""
        return [
            {
                "target": r.target,
                "executions": f"{r.executions:,}",
                "a second": f"{r.executions / 60 / r.minutes:.0f}",
                "edges": r.edges,
                "features": r.features,
                "inputs kept": r.kept,
                "minutes": f"{r.minutes:.1f}",
            }
            for r in self.runs
        ]

    def lines(self) -> list[str]:
        """What was counted."""
        return ["edges: branches of our readers and of the Python below them; features: these by how often they ran"]


def fuzz(
    only: Annotated[list[str] | None, typer.Option(help="Targets; default: all.")] = None,
    minutes: Annotated[float, typer.Option(help="For each target.")] = 30.0,
    out: Annotated[Path, typer.Option(help="A folder for inputs, logs and findings; given again, it goes on.")] = Path(
        "fuzz"
    ),
    together: Annotated[int, typer.Option(help="Targets at a time, a process each.")] = 1,
) -> Fuzzed:
    """Feed every reader of outside bytes with what libFuzzer makes of small seeds, and check what must always hold."""
    names = list(only or TARGETS)
    if unknown := set(names) - set(TARGETS):
        raise UserError(f"--only {', '.join(sorted(unknown))}: give some of {', '.join(TARGETS)}")
    if minutes <= 0 or together < 1:
        raise UserError(f"--minutes {minutes:g} --together {together}: give more than nothing")
    if importlib.util.find_spec("atheris") is None:
        raise UserError("atheris is not installed: pip install 'face-refinery[fuzz]' (Linux), and run again")
    with ThreadPoolExecutor(together) as pool:
        runs = list(pool.map(lambda name: _run(name, out / name, minutes), names))
    done = Fuzzed(runs)
    if found := [f"python -m tests.fuzz.run_target {r.target} {file}" for r in runs for file in r.found]:
        raise Findings(f"{len(found)} inputs break a rule; each is repeated by: {'; '.join(found)}")
    return done


def _run(name: str, folder: Path, minutes: float) -> Run:
    """One target until its time is over or an input breaks a rule."""
    (folder / "kept").mkdir(parents=True, exist_ok=True)
    (folder / "words").write_text("".join(f'"{head(f)[:-1].decode()}\\x0a"\n' for f in TARGETS[name].files))
    before, started, told = set(_findings(folder)), time.monotonic(), time.monotonic()
    said = {"runs": 0, "edges": 0, "features": 0, "kept": 0}
    with open(folder / "log", "w") as kept, _process(name, folder, minutes) as process:
        try:
            for line in process.stdout or ():
                kept.write(line)
                if pulse := PULSE.match(line):
                    said = {key: int(value) for key, value in pulse.groupdict().items()}
                if time.monotonic() - told > TELL_S:
                    told = time.monotonic()
                    log.info("%s: %s", name, ", ".join(f"{value} {key}" for key, value in said.items()))
        finally:
            process.terminate()
    found = sorted(set(_findings(folder)) - before)
    if process.returncode and not found:
        raise UserError(f"the fuzzer of {name} ended with {process.returncode} and no finding: see {folder / 'log'}")
    spent = (time.monotonic() - started) / 60
    log.info("%s: %d executions in %.1f minutes, %s", name, said["runs"], spent, f"{len(found)} findings")
    return Run(name, spent, said["runs"], said["edges"], said["features"], said["kept"], found)


def _process(name: str, folder: Path, minutes: float) -> subprocess.Popen[str]:
    options = {
        "max_total_time": round(60 * minutes),
        "max_len": LONGEST,
        "timeout": PATIENCE_S,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{folder}/found-",
        "dict": folder / "words",
    }
    seeds = [str(SEEDS / name)] if (SEEDS / name).is_dir() else []
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.run_target",
        name,
        *(f"-{key}={value}" for key, value in options.items()),
    ]
    return subprocess.Popen(
        [*command, str(folder / "kept"), *seeds],
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        stderr=subprocess.STDOUT,
    )


def _findings(folder: Path) -> list[str]:
    return [str(file) for file in folder.glob("found-*") if not file.name.startswith("found-slow-unit")]
