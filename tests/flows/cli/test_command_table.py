"""Rules for all commands: ROOT comes first, help ends with a valid example, an option is the same everywhere."""

import shlex
from typing import Any

import pytest

from flows.cli.app import build_app
from flows.cli.command import build_command
from flows.cli.command_table import COMMANDS
from trainer.recipes import RECIPES

RUNNABLE = [entry for entry in COMMANDS if entry.target]
# the default is the name of what is written, and the demo trains once where an experiment does so three times
DEFAULTS_MAY_DIFFER = {"out", "rounds", "seeds"}
TEXTS_MAY_DIFFER = {"out"}  # a file, a folder, or a root, which may be an address


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    return {entry.name: build_command(entry) for entry in RUNNABLE}


def parameters(commands: dict[str, Any], kind: str) -> list[tuple[str, Any]]:
    return [(name, p) for name, command in commands.items() for p in command.params if p.param_type_name == kind]


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda e: e.name)
def test_every_help_ends_with_a_valid_example(entry: Any, commands: dict[str, Any]) -> None:
    words = shlex.split(entry.example)
    assert words[0] == "refinery"
    target = next(e for e in RUNNABLE if words[1 : 1 + len(e.name.split())] == e.name.split() and e.name != "sample")
    command = commands[target.name]
    with command.make_context(target.verb, words[1 + len(target.name.split()) :]):
        pass  # what cannot be parsed raises
    if entry.target:
        shown = command.get_help(command.make_context(entry.verb, [], resilient_parsing=True))
        joined = " ".join(shown.split("Example:")[1].replace("\\\n", " ").split())
        assert joined == entry.example
        assert command.help


def test_an_option_has_one_type_one_text_and_one_default_everywhere(commands: dict[str, Any]) -> None:
    options = [(command, o) for command, o in parameters(commands, "option") if o.name not in ("help", "json")]
    assert len(options) > 200
    for name in {o.name for _, o in options}:
        same = [o for _, o in options if o.name == name]
        assert len({(tuple(o.opts), o.multiple, o.is_flag) for o in same}) == 1, name
        if name not in TEXTS_MAY_DIFFER:
            assert len({(o.type_descriptor.annotation, o.help) for o in same}) == 1, name
        if name not in DEFAULTS_MAY_DIFFER:
            assert len({repr(o.default) for o in same if not o.required}) <= 1, name


def test_root_is_the_first_argument_wherever_there_is_one(commands: dict[str, Any]) -> None:
    roots = [name for name, p in parameters(commands, "argument") if p.metavar == "ROOT"]
    assert len(roots) > 15
    for name in roots:
        first = next(p for p in commands[name].params if p.param_type_name == "argument")
        assert first.metavar == "ROOT", name
    assert not [name for name, o in parameters(commands, "option") if o.name == "root"]


def test_every_option_has_a_help_text(commands: dict[str, Any]) -> None:
    for command, parameter in [*parameters(commands, "option"), *parameters(commands, "argument")]:
        assert parameter.help, (command, parameter.name)
        assert parameter.help.rstrip().endswith((".", "exit")), (command, parameter.name)


def test_every_command_with_models_has_a_device_and_says_where_they_run(commands: dict[str, Any]) -> None:
    uses = {entry.name: entry.uses for entry in RUNNABLE}
    assert len([name for name in uses if uses[name]]) > 15
    for name, command in commands.items():
        options = {p.name for p in command.params}
        assert bool(uses[name]) == ("device" in options), name
        assert uses[name] or not options & {"detector", "embedder", "model", "backbone"}, name


def test_the_help_lists_exactly_the_recipes(commands: dict[str, Any]) -> None:
    (recipe,) = (o for o in commands["train"].params if o.name == "recipe")
    assert set(recipe.help.removeprefix("Recipe to train: ").rstrip(".").replace(" or ", ", ").split(", ")) == set(
        RECIPES
    )


def test_commands_are_listed_in_panels_with_their_summaries(commands: dict[str, Any]) -> None:
    import typer

    group = typer.main.get_command(build_app())
    shown = " ".join(group.get_help(group.make_context("refinery", [], resilient_parsing=True)).split())
    panels = list(dict.fromkeys(e.panel for e in COMMANDS))
    assert panels == ["Start here", "Data in and out", "Review", "Train and evaluate", "Schedule", "Measure"]
    places = [shown.index(f"{panel}:") for panel in panels]
    assert places == sorted(places)
    for entry in COMMANDS:
        assert (entry.summary in shown) == (" " not in entry.name), entry.name
    assert [
        c.value for c in group.shell_complete(group.make_context("refinery", [], resilient_parsing=True), "re")
    ] == [
        "refine",
        "report",
        "review",
    ]
