"""One command of the command line, built from its entry in the table only when it is called or asked for --help.

A command's options are the signature of the function that it names; its module, and with it torch, Prefect or OpenCV,
is imported here and not before.
"""

import functools
import importlib
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from flows.cli.result import StatusResult, print_result

PREFECT_VARIABLE = "REFINERY_PREFECT"  # off: flows run as plain functions, without a server, history or retries
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


@dataclass(frozen=True)
class CommandEntry:
    """A command as the list shows it, and where its function is.

    name: as it is typed, "review send" with its group; target: "module:function", or "" for a group of commands;
    summary: one line of the list; example: one command that can be pasted, after placeholders in capitals are replaced.
    """

    name: str
    panel: str
    target: str
    summary: str
    example: str

    @property
    def verb(self) -> str:
        """The last word of the name: what the command is called within its group."""
        return self.name.rpartition(" ")[2]

    def epilog(self) -> str:
        """The example as --help ends with it: long ones go on in a further line, as a shell reads them."""
        lines = textwrap.wrap(
            self.example, 88, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False
        )
        return "Example:\n\n\b\n  " + " \\\n".join(lines)


class ResultCommand(TyperCommand):
    """A command that prints the result of its function, as JSON where --json is given."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.append(_json_option())

    def invoke(self, ctx: Any) -> int:
        """Run the function with the options that were typed, print what it returns, and return the exit status."""
        as_json = ctx.params.pop("json")
        result = super().invoke(ctx)
        print_result(result, as_json=as_json)
        return result.exit_status() if isinstance(result, StatusResult) else 0


def build_command(entry: CommandEntry) -> TyperCommand:
    """The command of an entry; this imports the module of its function."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    function = _runnable(_load(entry.target))
    app.command(entry.verb, cls=ResultCommand, epilog=entry.epilog())(function)
    command = typer.main.get_command(app)
    assert isinstance(command, TyperCommand)  # noqa: S101  an app with one command is that command
    return command


def _load(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _runnable(function: Any) -> Callable[..., Any]:
    """The function itself; a Prefect flow as a function that first has a Prefect server started, where none is set."""
    if not hasattr(function, "fn"):
        return function  # type: ignore[no-any-return]
    plain: Callable[..., Any] = function.fn
    if os.environ.get(PREFECT_VARIABLE, "").lower() == "off":
        return plain

    @functools.wraps(plain)
    def run(*args: Any, **options: Any) -> Any:
        from flows.prefect_runtime.flow_run import run_flow  # Prefect is loaded by now, with the flow

        return run_flow(function, args, options)

    return run


def _json_option() -> Any:
    """The option --json as typer makes it of an annotated parameter."""

    def declared(json: AsJson = False) -> None:
        """Carries the option."""

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(declared)
    return typer.main.get_command(app).params[0]
