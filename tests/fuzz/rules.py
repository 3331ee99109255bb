"""What a target of the fuzzer is, and how it says that a reader broke a rule."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

HARMLESS = frozenset({"open", "pickle.find_class", "os.listdir", "os.scandir", "glob.glob"})


class Target(NamedTuple):
    """The names of the files that an input may hold, and what must hold of a folder with some of them."""

    files: tuple[str, ...]
    check: Callable[[Path], None]


class Broken(AssertionError):  # noqa: N818  a rule is, by an input
    """A reader returned, and what it returned breaks a rule; the message says which."""


def holds(true: bool, rule: str) -> None:
    """Raise Broken unless a rule holds."""
    if not true:
        raise Broken(rule)


def is_text(*words: str | None) -> None:
    """Raise Broken for a word that no table could hold, because it is no UTF-8."""
    for word in words:
        try:
            (word or "").encode()
        except UnicodeEncodeError:
            raise Broken(f"a word that is no Unicode: {word!r}") from None


@contextmanager
def nothing_but_reading() -> Iterator[None]:
    """Raise Broken when the block does anything that Python audits (imports, runs, connects), but for reading files."""
    heard = _audited()
    heard.append("")
    try:
        yield
        seen = {event for event in heard if event} - HARMLESS
    finally:
        heard.clear()
    holds(not seen, f"it did more than read: {', '.join(sorted(seen))}")


@cache
def _audited() -> list[str]:
    """What was audited since the list held anything; a hook stays for good, so there is one."""
    heard: list[str] = []

    def hear(event: str, _: tuple[Any, ...]) -> None:
        if heard:
            heard.append(event)

    sys.addaudithook(hear)
    return heard
