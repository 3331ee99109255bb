"""An option for every field of a run, for the commands that train: what a recipe says stands unless it is typed."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any

import typer

from trainer.run import Run

PANEL = "Fields of the run (default: the recipe's)"


def with_fields(function: Callable[..., Any]) -> None:
    """Give a function that takes **given an option for each field in its place, so that --help shows them all."""
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [_option(f.name, str(f.metadata["help"])) for f in fields(Run) if f.name not in signature.parameters]
    function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    function.__annotations__ |= {p.name: p.annotation for p in options}
    function.__annotations__.pop("given", None)


def _option(name: str, text: str) -> inspect.Parameter:
    option = typer.Option(help=text, rich_help_panel=PANEL, show_default=False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default="", annotation=Annotated[str, option])
