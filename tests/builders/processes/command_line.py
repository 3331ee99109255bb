"""The command line for tests: called in the test's process, or as a new process."""

import sys
from collections.abc import Callable

COMMAND = [sys.executable, "-c", "from flows.cli.console import main; main()"]


Command = Callable[..., tuple[int, str, str]]  # returns exit status, standard output and standard error


def error_line(run: tuple[int, str, str]) -> str:
    """The one line that a user error prints; checks status 2, and that there is no traceback."""
    status, _, err = run
    lines = [line for line in err.splitlines() if line.startswith("refinery: ")]
    assert status == 2, err
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def options(models: dict[str, str], **more: object) -> list[object]:
    """Models and other options as arguments of the command line."""
    return [w for k, v in {**models, **more}.items() for w in (f"--{k.replace('_', '-')}", v)]
