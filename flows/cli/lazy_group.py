"""A group of commands, listed from the command table without importing any of them."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from typer.core import TyperGroup

from flows.cli.command import CommandEntry, build_command


class Completion(NamedTuple):
    """A word that the shell offers, with the attributes that typer's completion scripts read."""

    value: str
    help: str
    type: str = "plain"


class LazyGroup(TyperGroup):
    """A group whose commands are entries of a table. A command is built, and its module imported, when it is called.

    prefix: the part of a command's name before its own word: "review " in `refinery review`, "" at the top level.
    """

    table: ClassVar[Sequence[CommandEntry]] = ()
    prefix: str = ""

    def entries(self) -> dict[str, CommandEntry]:
        """The entries of this group, by the word that calls each."""
        below = [e for e in self.table if e.name.startswith(self.prefix)]
        return {e.verb: e for e in below if " " not in e.name.removeprefix(self.prefix)}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  typer's signature
        """The words of the commands in the order of the table."""
        return list(self.entries())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  typer's signature
        """The command that this word calls, or None; this imports its module."""
        entry = self.entries().get(cmd_name)
        if entry is None:
            return None
        return build_command(entry) if entry.target else self._subgroup(entry)

    def _subgroup(self, entry: CommandEntry) -> "LazyGroup":
        group = type(self)(
            name=entry.verb, help=entry.summary, epilog=entry.epilog(), no_args_is_help=True, rich_markup_mode=None
        )
        group.prefix = f"{entry.name} "
        return group

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word calls. The error for an unknown word suggests similar ones."""
        self.commands = dict.fromkeys(self.entries(), LazyGroup())  # typer takes only the names, for suggestions
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  typer's signature
        """Write the list of commands, panel by panel."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for word, entry in self.entries().items():
            panels.setdefault(entry.panel, []).append((word, entry.summary))
        width = max(len(word) for word in self.entries())
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(word.ljust(width), summary) for word, summary in rows])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The completions of an incomplete word: commands with their summaries, and the group's options."""
        commands = [Completion(w, e.summary) for w, e in self.entries().items() if w.startswith(incomplete)]
        return [
            *commands,
            *super(TyperGroup, self).shell_complete(ctx, incomplete),
        ]  # the method of TyperGroup would import every command
