"""What the documents promise: every link leads somewhere, every command in them is one of the program."""

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from flows.cli.app import build_app
from tests.builders.source_code import ROOT, documents, name_of

DOCUMENTS = documents()
SCRIPTS = sorted((ROOT / "flows/examples").glob("*.sh"))
NOT_OURS = ("http://", "https://", "#", "mailto:")


def commands(text: str) -> list[list[str]]:
    """The words of each command of refinery in a shell script, without what stands before or after it."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line.strip() for line in joined.splitlines()]
    word_lists = []
    for line in lines:
        match = re.match(r"(?:\$ |[A-Z_]+=\S* )*(?:torchrun [^#]*--no-python )?(?:\S*/)?refinery (.*)", line)
        if match:
            words = shlex.split(match[1].replace("$(", "(").replace("...", ""), comments=True)
            end = next((i for i, word in enumerate(words) if word in ("&", "|", ">", "&&", ";")), len(words))
            word_lists.append(words[:end])
    return word_lists


def fenced(document: Path) -> str:
    """All blocks of shell commands of a document."""
    return "\n".join(re.findall(r"```bash\n(.*?)```", document.read_text(), re.DOTALL))


@cache
def top() -> Any:
    """The whole command line."""
    return typer.main.get_command(build_app())


def check(words: list[str]) -> None:
    """Raise TyperException where the program has no such command or option."""
    command, context = top(), typer.Context(top(), info_name="refinery")
    while words and hasattr(command, "resolve_command"):
        if words[0].startswith("-"):
            break
        _, command, words = command.resolve_command(context, words)
        context = typer.Context(command, parent=context, info_name=command.name)
    command.make_parser(context).parse_args(words)


CASES = [(p, words) for p in DOCUMENTS for words in commands(fenced(p))]
CASES += [(p, words) for p in SCRIPTS for words in commands(p.read_text())]


def test_there_are_commands_to_check() -> None:
    assert len(CASES) > 40
    assert len(SCRIPTS) >= 5


@pytest.mark.parametrize(("document", "words"), CASES, ids=[f"{p.name}-{' '.join(w)[:60]}" for p, w in CASES])
def test_a_command_in_a_document_is_one_of_the_program(document: Path, words: list[str]) -> None:
    check(words)


def test_a_wrong_command_would_be_noticed() -> None:
    with pytest.raises(TyperException):
        check(["refine", "ROOT", "image-folder", "PHOTOS", "--no-such-option"])
    with pytest.raises(TyperException):
        check(["no-such-command"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=[name_of(p) for p in DOCUMENTS])
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(NOT_OURS):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve()
        assert target.exists(), f"{name_of(document)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name_of(document)}: {link}"


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as they are made of them on the web."""
    heads = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
