"""The command line as tests call it: in this process, or as a process of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

COMMAND = [sys.executable, "-c", "from flows.cli.console import main; main()"]


Command = Callable[..., tuple[int, str, str]]


def error_line(run: tuple[int, str, str]) -> str:
    """The one line of a mistake: status 2, no traceback, begins with the program's name."""
    status, _, err = run
    lines = [line for line in err.splitlines() if line.startswith("refinery: ")]
    assert status == 2, err
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def options(models: dict[str, str], root: Path, **more: object) -> list[object]:
    given = {"root": root, **models, **more}
    return [w for k, v in given.items() for w in (f"--{k.replace('_', '-')}", v)]
