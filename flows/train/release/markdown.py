"""Parts of a card in Markdown; whatever comes from the user's files is escaped."""

import re
from collections.abc import Iterable, Sequence

from pipeline.printable import printable

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&$])")  # what Markdown, or HTML within it, may take for a mark


def escaped(text: str) -> str:
    """Text from the user's files, in one line, without marks of its own."""
    return SPECIAL.sub(r"\\\1", printable(text))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """A list; its items are Markdown already."""
    return "".join(f"* {line}\n" for line in lines)


def code(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text.strip()}\n```\n"


def section(title: str, *parts: str) -> str:
    """A section with a heading; parts are separated by blank lines."""
    return "\n".join([f"## {title}\n", *parts])
