"""A target of the fuzzer: a reader of untrusted files, and the rules that must hold for any content of the files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

HARMLESS = frozenset({"open", "pickle.find_class", "os.listdir", "os.scandir", "glob.glob"})


class Target(NamedTuple):
    """The names of the files that an input may hold, and a function that reads a folder with some of them.

    The function raises BrokenRuleError when a rule is broken.
    """

    files: tuple[str, ...]
    check: Callable[[Path], None]


class BrokenRuleError(AssertionError):
    """A reader's result breaks a rule; the message is the rule."""


def check_rule(condition: bool, rule: str) -> None:
    """Raise BrokenRuleError with the rule's text unless the condition is true."""
    if not condition:
        raise BrokenRuleError(rule)


def check_text(*words: str | None) -> None:
    """Raise BrokenRuleError for a string that a table cannot hold, because it cannot be written as UTF-8."""
    for word in words:
        try:
            (word or "").encode()
        except UnicodeEncodeError:
            raise BrokenRuleError(f"a string that cannot be written as UTF-8: {word!r}") from None


@contextmanager
def nothing_but_reading() -> Iterator[None]:
    """Raise BrokenRuleError when the block does anything that Python audits, except reading files."""
    events = _audit_events()
    events.append("")  # a list that is not empty makes the hook record events
    try:
        yield
        harmful = {event for event in events if event} - HARMLESS
    finally:
        events.clear()
    check_rule(not harmful, f"it did more than read: {', '.join(sorted(harmful))}")


@cache
def _audit_events() -> list[str]:
    """The list of recorded audit events; one hook serves all blocks, because a hook cannot be removed."""
    events: list[str] = []

    def add(event: str, _: tuple[Any, ...]) -> None:
        if events:
            events.append(event)

    sys.addaudithook(add)
    return events
