"""The commands in README.md, the guides and the results exist: each is parsed, none is run."""

import re
import shlex
from collections.abc import Iterator

import pytest

from flows.cli.command import build_command
from flows.cli.command_table import COMMANDS
from tests.builders.source_code import documents, name_of

FENCED = re.compile(r"```(?:bash|sh)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(refinery [a-z][^`]*)`")


def documented() -> Iterator[tuple[str, str]]:
    """Each command in a shell block, and each with options between backticks, with its file."""
    for path in documents():
        text = path.read_text()
        name = name_of(path)
        for block in FENCED.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.partition(" #")[0].strip().removesuffix("&").removeprefix(".venv/bin/").strip()
                if command.startswith("refinery ") and "..." not in command and "[" not in command:
                    yield name, command
        for command in INLINE.findall(text):
            if "--" in command and not re.search(r"\.\.\.|[|\n]|--[a-z-]+$", command):
                yield name, command


DOCUMENTED = sorted(set(documented()))


def test_there_are_commands_in_the_texts() -> None:
    assert len(DOCUMENTED) > 30


@pytest.mark.parametrize(("file", "command"), DOCUMENTED, ids=lambda v: v[:60])
def test_a_documented_command_is_valid(file: str, command: str) -> None:
    words = shlex.split(command)[1:]
    if words == ["--version"] or words[-1] == "--help":
        return
    names = {entry.name: entry for entry in COMMANDS if entry.target}
    name = next(n for n in (" ".join(words[:2]), words[0]) if n in names)
    with build_command(names[name]).make_context(names[name].verb, words[len(name.split()) :]):
        pass  # an option or argument that is not known raises
