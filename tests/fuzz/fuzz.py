"""Coverage-guided fuzzing of every reader of untrusted files: python -m tests.fuzz.fuzz --out DIR (make fuzz).

One process of atheris (libFuzzer) for each target feeds it with inputs and checks its rules. Inputs that reach new
branches are kept in the folder, and the next run starts from them. An input that breaks a rule is written to a file, so
that it can be repeated. Runs on Linux only, with `pip install 'face-refinery[fuzz]'`.
"""

import argparse
import importlib.util
import logging
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from tests.builders.markdown_table import markdown_table
from tests.fuzz.targets import TARGETS, file_marker

log = logging.getLogger("refinery")
SEEDS = Path(__file__).with_name("seeds")
MAX_BYTES = 4096  # of an input
MAX_SECONDS, MAX_MB = 20, 2048  # for one input; an input that takes more is a finding
LOG_S = 60.0  # between two log lines about one target
STATUS_LINE = re.compile(r"#(?P<executions>\d+)\t.*cov: (?P<edges>\d+) ft: (?P<features>\d+) corp: (?P<kept>\d+)")


class BrokenRulesError(AssertionError):
    """Inputs broke a rule: a reader has a fault. The message holds the commands that repeat the inputs."""


@dataclass(frozen=True)
class FuzzRun:
    """The result of one target's fuzzer, with libFuzzer's counts.

    edges: branches reached; features: pairs of a branch and how often it ran; kept: inputs kept; findings: files of
    inputs that break a rule.
    """

    target: str
    minutes: float
    executions: int
    edges: int
    features: int
    kept: int
    findings: list[str]

    def row(self) -> dict[str, Any]:
        """The run as a row of the results' table."""
        return {
            "target": self.target,
            "executions": f"{self.executions:,}",
            "a second": f"{self.executions / 60 / self.minutes:.0f}",
            "edges": self.edges,
            "features": self.features,
            "inputs kept": self.kept,
            "minutes": f"{self.minutes:.1f}",
        }


def fuzz(
    only: Sequence[str] = (), *, minutes: float = 30.0, out: Path = Path("fuzz"), together: int = 1
) -> list[FuzzRun]:
    """Feed every reader of untrusted files with inputs made by libFuzzer from small seeds, and check the rules.

    only: targets, all by default; minutes: for each target; out: the folder of inputs, logs and findings, in which a
    later run continues; together: targets at a time, one process for each. Raises BrokenRulesError for findings.
    """
    names = list(only or TARGETS)
    if unknown := set(names) - set(TARGETS):
        raise UserError(f"--only {', '.join(sorted(unknown))}: give some of {', '.join(TARGETS)}")
    if minutes <= 0 or together < 1:
        raise UserError(f"--minutes {minutes:g} --together {together}: both must be above 0")
    if importlib.util.find_spec("atheris") is None:
        raise UserError("atheris is not installed: pip install 'face-refinery[fuzz]' (Linux), and run again")
    with ThreadPoolExecutor(together) as pool:
        runs = list(pool.map(lambda name: _run(name, out / name, minutes), names))
    if commands := [f"python -m tests.fuzz.run_target {r.target} {file}" for r in runs for file in r.findings]:
        raise BrokenRulesError(f"{len(commands)} inputs break a rule; each is repeated by: {'; '.join(commands)}")
    return runs


def _run(name: str, folder: Path, minutes: float) -> FuzzRun:
    """One target until its time is over or an input breaks a rule."""
    (folder / "kept").mkdir(parents=True, exist_ok=True)
    (folder / "words").write_text("".join(f'"{file_marker(f)[:-1].decode()}\\x0a"\n' for f in TARGETS[name].files))
    before, started = set(_findings(folder)), time.monotonic()
    counts, status = _watch(name, folder, minutes)
    findings = sorted(set(_findings(folder)) - before)
    if status and not findings:
        raise UserError(f"the fuzzer of {name} ended with {status} and no finding: see {folder / 'log'}")
    run = FuzzRun(name, (time.monotonic() - started) / 60, **counts, findings=findings)
    log.info("%s: %d executions in %.1f minutes, %d findings", name, run.executions, run.minutes, len(findings))
    return run


def _watch(name: str, folder: Path, minutes: float) -> tuple[dict[str, int], int]:
    """Run a target's fuzzer to its end; returns its last counts and its exit status."""
    counts, logged = {"executions": 0, "edges": 0, "features": 0, "kept": 0}, time.monotonic()
    with open(folder / "log", "w") as file, _process(name, folder, minutes) as process:
        try:
            for line in process.stdout or ():
                file.write(line)
                if status_line := STATUS_LINE.match(line):
                    counts = {key: int(value) for key, value in status_line.groupdict().items()}
                if time.monotonic() - logged > LOG_S:
                    logged = time.monotonic()
                    log.info("%s: %s", name, ", ".join(f"{value} {key}" for key, value in counts.items()))
        finally:
            process.terminate()
    return counts, process.returncode


def _process(name: str, folder: Path, minutes: float) -> subprocess.Popen[str]:
    options = {
        "max_total_time": round(60 * minutes),
        "max_len": MAX_BYTES,
        "timeout": MAX_SECONDS,
        "rss_limit_mb": MAX_MB,
        "artifact_prefix": f"{folder}/found-",
        "dict": folder / "words",
    }
    seeds = [str(SEEDS / name)] if (SEEDS / name).is_dir() else []
    words = [*(f"-{key}={value}" for key, value in options.items()), str(folder / "kept"), *seeds]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.run_target", name, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _findings(folder: Path) -> list[str]:
    return [str(file) for file in folder.glob("found-*") if not file.name.startswith("found-slow-unit")]


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz", description=fuzz.__doc__)
    parser.add_argument("--only", action="append", default=[], help=f"may repeat: {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--out", type=Path, default=Path("fuzz"))
    parser.add_argument("--together", type=int, default=1)
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    runs = fuzz(**vars(parser.parse_args(arguments)))
    print(markdown_table([run.row() for run in runs]))  # noqa: T201
    print("edges: branches of the readers and of the Python below; features: edges by how often they ran")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
