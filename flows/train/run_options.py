"""The run that a command trains: a recipe, in which options of the command line replace fields.

The most frequent fields have options of their own; --set FIELD=VALUE replaces any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from flows.cli.result import Result
from pipeline.errors import UserError
from trainer.recipes import RECIPES, recipe
from trainer.run import Run, override

OWN_OPTIONS = ("backbone", "loss", "steps", "batch", "lr", "seed")


@dataclass(frozen=True)
class RunOptions:
    """The options of a command that replace fields of a recipe; None or "" keeps the recipe's value."""

    backbone: str = ""
    loss: str = ""
    steps: int | None = None
    batch: int | None = None
    lr: float | None = None
    seed: int = 0
    settings: Sequence[str] = ()  # FIELD=VALUE

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "RunOptions":
        """Those among all options of a command."""
        return cls(**{field.name: options[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class FieldsTable(Result):
    """The fields of a run: what each one is, and its value in a recipe."""

    recipe: str
    run: Run

    def rows(self) -> list[dict[str, Any]]:
        """One row for each field."""
        values = [(f.name, getattr(self.run, f.name), f.metadata["help"]) for f in fields(self.run)]
        return [{"field": name, self.recipe: str(value), "what it is": text} for name, value, text in values]

    def lines(self) -> list[str]:
        """How to replace a field, and the names of the recipes."""
        own = ", ".join(f"--{name}" for name in OWN_OPTIONS)
        return [
            f"replace a field by --set FIELD=VALUE; {own} are options of their own",
            f"recipes: {', '.join(RECIPES)} (--recipe NAME --fields shows the values of another)",
        ]


def run_of(name: str, options: RunOptions) -> Run:
    """The run of a recipe with these fields replaced.

    Raises UserError for a recipe or a field that does not exist, and for a value of another type or out of range.
    """
    return with_options(recipe(name), options)


def with_options(run: Run, options: RunOptions) -> Run:
    """A run with fields replaced by options. Raises UserError as run_of does."""
    typed = {name: getattr(options, name) for name in OWN_OPTIONS}
    texts = {name: str(value) for name, value in typed.items() if value not in (None, "")}
    return override(run, texts | _settings(options.settings))


def _settings(words: Sequence[str]) -> dict[str, str]:
    """FIELD=VALUE words as a mapping."""
    texts = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"--set {word}: give FIELD=VALUE, like --set weight_decay=0.0005")
        if name in OWN_OPTIONS:
            raise UserError(f"--set {word}: {name} is an option of its own, give --{name} {value}")
        texts[name] = value
    return texts
