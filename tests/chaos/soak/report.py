"""The counts of a soak: kills, checks after them, and every fault that a check found."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("refinery")
SHOWN = 20  # messages of faults in a report
FAULTS = {  # kinds of faults, and what each is called in the report
    "unaccounted": "photos unaccounted for",
    "doubled": "decisions or questions doubled",
    "lost": "answers lost or invented",
    "different": "files or tables that differ",
    "other": "other faults",
}


@dataclass
class SoakReport:
    """The kills of a soak, the work done in spite of them, and the faults found.

    kills: by phase (refine, review) and signal; moments: kills by the kind of their moment; half_written: how many
    half-written files kills left; messages: one for every fault.
    """

    kills: dict[str, Counter[str]] = field(default_factory=lambda: {"refine": Counter(), "review": Counter()})
    moments: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    refinements: int = 0
    reviews: int = 0
    pages_answered: int = 0
    half_written: int = 0
    checks: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def check(self, kind: str, faults: Sequence[str], context: str) -> None:
        """Count a check and the faults that it found. kind: a key of FAULTS."""
        self.checks += 1
        self.faults[kind] += len(faults)
        for fault in faults:
            self.messages.append(f"{kind}: {context}: {fault}")
            log.warning("%s", self.messages[-1])

    def rows(self) -> list[dict[str, Any]]:
        """One row for each phase, with its kills by signal."""
        signals = sorted({name for kills in self.kills.values() for name in kills})
        return [
            {"phase": phase, "kills": kills.total(), **{name: kills[name] for name in signals}}
            for phase, kills in self.kills.items()
        ]

    def lines(self) -> list[str]:
        """The counts in words, and the first messages of faults."""
        total = sum(kills.total() for kills in self.kills.values())
        moments = ", ".join(f"{n} by {moment}" for moment, n in sorted(self.moments.items()))
        faults = ", ".join(f"{self.faults[kind]} {words}" for kind, words in FAULTS.items())
        return [
            f"{total} kills ({moments}), {self.restarts} restarts, {self.seconds / 60:.0f} minutes",
            f"{self.refinements} refinements and {self.reviews} reviews done, {self.pages_answered} pages answered",
            f"{self.half_written} half-written files were left by kills, all under names that no command reads",
            f"checked {self.checks} times: {faults}",
            *self.messages[:SHOWN],
        ]
