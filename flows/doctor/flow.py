"""`refinery doctor`: checks the machine part by part, and says what to do where something is missing."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from flows.cli.result import Result
from flows.cli.review_options import Url
from flows.doctor import machine, services
from flows.doctor.check import MISSING, Check


@dataclass(frozen=True)
class DoctorReport(Result):
    """Every check of this machine."""

    checks: list[Check]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each check."""
        return [{"what": c.name, "status": c.status, "found": c.found} for c in self.checks]

    def lines(self) -> list[str]:
        """What to do about warnings and missing parts."""
        advice = [f"{c.name} ({c.status}): {c.advice}" for c in self.checks if c.advice]
        return advice or ["nothing to do: everything that is needed is here"]

    def exit_status(self) -> int:
        """1 where something that is needed is missing or broken, else 0."""
        return int(any(c.status == MISSING for c in self.checks))


def doctor(
    root: Annotated[
        str, typer.Argument(metavar="[ROOT]", help="Where a refinement's tables will lie; default: the current folder.")
    ] = "",
    url: Url = "",
) -> DoctorReport:
    """Check this machine: Python, cores, memory, disk, GPU, libraries, Label Studio and Prefect.

    Each line is ok, warning (works, but not as well as it could) or missing (needed, but absent or broken). The exit
    status is 1 where something is missing.
    """
    return DoctorReport(
        [
            machine.python(),
            machine.cores(),
            machine.memory(),
            machine.disk(root),
            machine.gpu(),
            machine.onnxruntime(),
            machine.faiss(),
            machine.torch(),
            services.label_studio(root, url),
            services.prefect(),
        ]
    )
