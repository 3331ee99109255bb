"""A target of the fuzzer: a reader of outside bytes, and the rules that hold whatever the bytes are."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

HARMLESS = frozenset({"open", "pickle.find_class", "os.listdir", "os.scandir", "glob.glob"})


class Target(NamedTuple):
    """The files that an input may hold, and a check of a folder with some of them: it raises what it finds wrong."""

    files: tuple[str, ...]
    check: Callable[[Path], None]


class BrokenRuleError(AssertionError):
    """What a reader returned breaks a rule; the message says which."""


def holds(condition: bool, rule: str) -> None:
    """Raise BrokenRuleError unless a rule holds."""
    if not condition:
        raise BrokenRuleError(rule)


def is_text(*words: str | None) -> None:
    """Raise BrokenRuleError for a string that no table can hold, because it has no UTF-8."""
    for word in words:
        try:
            (word or "").encode()
        except UnicodeEncodeError:
            raise BrokenRuleError(f"a string that has no UTF-8: {word!r}") from None


@contextmanager
def nothing_but_reading() -> Iterator[None]:
    """Raise BrokenRuleError when the block imports, runs or connects: all that Python audits, but reading files."""
    events = _audit_events()
    events.append("")  # from now on the hook adds to it
    try:
        yield
        harmful = {event for event in events if event} - HARMLESS
    finally:
        events.clear()
    holds(not harmful, f"it did more than read: {', '.join(sorted(harmful))}")


@cache
def _audit_events() -> list[str]:
    """The audited events since the list was not empty; one hook for all blocks, as a hook cannot be removed."""
    events: list[str] = []

    def add(event: str, _: tuple[Any, ...]) -> None:
        if events:
            events.append(event)

    sys.addaudithook(add)
    return events
