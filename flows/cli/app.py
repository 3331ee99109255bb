"""The program `refinery`: all its commands, its log, and its exit statuses.

Exit status: 0 done; 1 a fault of the program, or something needed is missing (`doctor`); 2 a mistake in the arguments
or in the files they name; 130 stopped by Ctrl-C. Each mistake is one line on standard error; for an unknown command or
option the usage stands above it.
"""

import logging
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated

import typer

from flows.cli.command import CommandEntry
from flows.cli.command_table import COMMANDS
from flows.cli.lazy_group import LazyGroup
from pipeline.errors import UserError
from pipeline.printable import printable

log = logging.getLogger("refinery")
STOPPED = "stopped; what is finished stays, and the same command goes on from there"
EXAMPLE = "refinery demo --out demo"


class Commands(LazyGroup):
    """All commands of the table."""

    table = COMMANDS


def main() -> None:
    """Run the command that was typed, and end the process with its exit status."""
    log_to_stderr()
    for word in sys.argv[1:]:
        if not _is_unicode(word):
            _end(2, f"the argument {word!a} is not UTF-8: give names and paths in UTF-8")
    try:
        status = build_app()(prog_name="refinery", standalone_mode=False)
        sys.stdout.flush()
    except UserError as error:
        _end(2, *error.messages)
    except (KeyboardInterrupt, typer.Abort):
        _end(130, STOPPED)
    except Exception as error:  # a fault of the program is printed as one line as well
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "show"):
            error.show()
            sys.exit(2)
        if os.environ.get("REFINERY_DEBUG"):
            raise
        if _follows_ctrl_c(error):
            _end(130, STOPPED)
        _end(1, f"a fault of the program, not yours: {error} (REFINERY_DEBUG=1 shows where)")
    if status == 130:  # typer returns this after Ctrl-C
        _end(130, STOPPED)
    sys.exit(status if isinstance(status, int) else 0)


def _is_unicode(word: str) -> bool:
    """Whether an argument is text; Python passes bytes that are none as surrogates."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def build_app() -> typer.Typer:
    """The command line as a typer app; no command is imported."""
    app = typer.Typer(
        cls=Commands,
        name="refinery",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 100},  # holds for the help of every command
        epilog=CommandEntry("", "", "", "", EXAMPLE).epilog(),
    )
    app.callback()(_root)
    return app


class LineFormatter(logging.Formatter):
    """Formats a log message as one line without control characters, which file names may hold."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  its name in logging
        """The line of a record, without a traceback."""
        return printable(super().formatMessage(record))


def log_to_stderr() -> None:
    """Send log lines to standard error, one line each; standard output is for results."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.handlers = [handler]
    log.setLevel(os.environ.get("REFINERY_LOG", "INFO").upper())
    log.propagate = False


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"refinery {version('face-refinery')}\n")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Cleans face-recognition data sets, and proves that the cleaning worked: see `refinery COMMAND --help`."""


def _follows_ctrl_c(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused an error: it may first end a Prefect server in the same terminal, which then fails."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _end(status: int, *messages: str) -> None:
    with suppress(OSError):  # standard error cannot be written to either: the status says it
        sys.stderr.writelines(f"refinery: {printable(' '.join(message.split()))}\n" for message in messages)
    sys.exit(status)
