"""A command, built from its entry in the table when it is called or its own --help is shown, and not before.

Its options are the signature of its function. Building it imports the function's module, and with it perhaps torch,
Prefect or OpenCV; the list of commands is shown without any of them.
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

MODELS = "--detector scrfd.onnx --embedder arcface.onnx"  # in the examples of commands that take both models
PREFECT_VARIABLE = "REFINERY_PREFECT"  # off: flows run as plain functions, without a server, history or retries
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


@dataclass(frozen=True)
class CommandEntry:
    """A command: what the list shows of it, and where its function is.

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
        """The last word of the name, which is its name within its group."""
        return self.name.rpartition(" ")[2]

    def epilog(self) -> str:
        """The last lines of --help: the example, over several lines with a backslash at their ends where it is long."""
        lines = textwrap.wrap(
            self.example, 88, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False
        )
        return "Example:\n\n\b\n  " + " \\\n".join(lines)


class ResultCommand(TyperCommand):
    """A command that prints what its function returns; with --json as one JSON object."""

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
    """The function; of a Prefect flow one that runs the flow, on a server that is started where none is set."""
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
    """The option --json, as typer makes one from an annotated parameter."""

    def declared(json: AsJson = False) -> None:
        """Exists for its parameter alone."""

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(declared)
    return typer.main.get_command(app).params[0]
