"""Builds a command from its entry in the command table, only when the command is called or its --help is shown.

The parameters of its function are its arguments and options. Building it imports the function's module, and so perhaps
torch, Prefect or OpenCV; the list of commands is shown without importing any of them.
"""

import importlib
import textwrap
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from flows.cli.devices_line import DETECTION, announced
from flows.cli.options import Device
from flows.cli.result import StatusResult, print_result
from flows.prefect_runtime.flow_run import prefect_is_off, server_url
from flows.prefect_runtime.recorded_flow import RecordedFlow, recording
from pipeline.faces.accelerator.devices import device_choice, is_device

MODELS = "--detector scrfd.onnx --embedder arcface.onnx"  # in the examples of commands that take both models
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
WithPrefect = Annotated[
    bool,
    typer.Option("--prefect", help="Record the run on a Prefect server, with retries; done anyway where one is set."),
]


@dataclass(frozen=True)
class CommandEntry:
    """An entry of the command table.

    name: as it is typed, with its group ("review send"); panel: the heading in the list of commands; target:
    "module:function", or "" for a group of commands; summary: its line in that list; example: a command line to paste,
    with placeholders in capitals; uses: for what it runs models (see devices_line.py).
    """

    name: str
    panel: str
    target: str
    summary: str
    example: str
    uses: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        """The last word of the name, which is its name within its group."""
        return self.name.rpartition(" ")[2]

    def epilog(self) -> str:
        """The last lines of --help: the example; a long one is broken into lines that end with a backslash."""
        lines = textwrap.wrap(
            self.example, 88, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False
        )
        return "Example:\n\n\b\n  " + " \\\n".join(lines)


class ResultCommand(TyperCommand):
    """A command that prints what its function returns; with --json as one JSON object.

    One that runs models has --device, and says first where they run. uses: for what; own_device: its function takes
    the device itself, to train.
    """

    uses: tuple[str, ...] = ()
    own_device = True

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.append(_option_of(_json))

    def run_models(self, uses: tuple[str, ...]) -> None:
        """The command runs models for these uses."""
        self.uses, self.own_device = uses, any(p.name == "device" for p in self.params)
        if not self.own_device:
            self.params.append(_option_of(_device))

    def invoke(self, ctx: Any) -> int:
        """Run the function with the options that were typed, print what it returns, and return the exit status."""
        as_json = ctx.params.pop("json")
        device = ctx.params.get("device", "") if self.own_device else ctx.params.pop("device")
        if self.own_device and not is_device(device):
            device = ""  # torch has further devices
        with device_choice(device), self._devices_announced(ctx.params):
            result = super().invoke(ctx)
        print_result(result, as_json=as_json)
        return result.exit_status() if isinstance(result, StatusResult) else 0

    def _devices_announced(self, options: Mapping[str, Any]) -> AbstractContextManager[None]:
        uses = [use for use in self.uses if use != DETECTION or not options.get("aligned")]
        if not uses or options.get("fields"):  # `train --fields` lists them and ends
            return nullcontext()
        from flows.refine.models import is_checkpoint  # loads onnxruntime, as the command does

        checkpoints = any(is_checkpoint(str(options.get(name) or "")) for name in ("embedder", "model"))
        return announced(uses, checkpoints=checkpoints, train_on=str(options.get("device") or ""))


class RecordedCommand(ResultCommand):
    """A command whose function is a RecordedFlow: a run on the Prefect server with --prefect, or where one is set."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.append(_option_of(_prefect))

    def invoke(self, ctx: Any) -> int:
        """Run the function, and record that if it is wanted."""
        with_prefect = ctx.params.pop("prefect")
        with recording(not prefect_is_off() and (with_prefect or bool(server_url()))):
            return super().invoke(ctx)


def build_command(entry: CommandEntry) -> TyperCommand:
    """The command of an entry; this imports the module of its function."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    function = _load(entry.target)
    kind = RecordedCommand if isinstance(function, RecordedFlow) else ResultCommand
    app.command(entry.verb, cls=kind, epilog=entry.epilog())(function)
    command = typer.main.get_command(app)
    assert isinstance(command, ResultCommand)  # noqa: S101  an app with one command is that command
    if entry.uses:
        command.run_models(entry.uses)
    return command


def _load(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _json(json: AsJson = False) -> None:
    """Has the option --json of every command."""


def _prefect(prefect: WithPrefect = False) -> None:
    """Has the option --prefect of every command whose runs Prefect can record."""


def _device(device: Device = "") -> None:
    """Has the option --device of every command that runs models."""


def _option_of(function: Callable[..., None]) -> Any:
    """The option that typer makes of the function's parameter."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(function)
    return typer.main.get_command(app).params[0]
