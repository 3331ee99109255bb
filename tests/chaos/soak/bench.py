"""The state of a soak: its folders, random numbers and report; it runs one command and checks how it ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.chaos.killed_command import KillPlan, KillResult, run_command
from tests.chaos.soak.report import SoakReport


@dataclass(frozen=True)
class SoakBench:
    """The state of a soak.

    until: the time.monotonic() at which it ends; review_seconds: how long each command of a review took last time.
    """

    out: Path
    rng: np.random.Generator
    report: SoakReport
    until: float
    review_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def world(self) -> Path:
        """The drawn world."""
        return self.out / "world"

    @property
    def undisturbed(self) -> Path:
        """The root in which no command is killed."""
        return self.out / "undisturbed"

    @property
    def reviewed(self) -> Path:
        """The root of the reviews, with the data of Label Studio, which stay from review to review."""
        return self.out / "reviewed"

    def goes_on(self, phase: str, kills: int) -> bool:
        """Whether a phase had fewer kills than this, and there is time left."""
        return self.report.kills[phase].total() < kills and time.monotonic() < self.until

    def run(self, phase: str, words: Sequence[str], root: Path, kill: KillPlan | None = None) -> KillResult:
        """Run a command, killed as planned, and check how it ended.

        A command that is not killed must succeed, Ctrl-C must end it with status 130, and no process may be left.
        """
        result = run_command(words, root=root, log=self.out / "output.txt", kill=kill)
        faults = ["processes of the command still ran"] if result.orphans else []
        if kill and result.killed and result.status:
            self.report.kills[phase][kill.signal_name] += 1
            self.report.moments[kill.moment] += 1
            if kill.signal_name == "Ctrl-C" and result.status != 130:
                faults.append(f"status {result.status} after Ctrl-C: {result.last_line}")
        elif result.status:
            faults.append(f"status {result.status}: {result.last_line}")
        self.report.restarts += bool(result.status)
        self.report.check("other", faults, f"{' '.join(words[:2])}, {kill}")
        return result
