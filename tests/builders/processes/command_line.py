"""The command line as tests call it: in this process, or as a process of its own."""

import sys
from collections.abc import Callable

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


def options(models: dict[str, str], **more: object) -> list[object]:
    """Models and further options as words of the command line."""
    return [w for k, v in {**models, **more}.items() for w in (f"--{k.replace('_', '-')}", v)]
