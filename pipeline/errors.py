"""The exception for mistakes that a user can correct: its message says what is wrong, where, and what to do.

The message of another library's error gets into it by its first line.
"""

from collections.abc import Callable
from typing import Any


class UserError(Exception):
    """Mistakes in a user's options, files or folders, a message for each. The command line prints them, status 2."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages

    def __str__(self) -> str:
        """All messages."""
        return "; ".join(self.messages)


class Unavailable(UserError):  # noqa: N818  it may end by itself, as nothing else that a user is told
    """A storage or a server does not answer, after all retries. The same call may succeed minutes later."""


def first_line(error: Exception) -> str:
    """The first line of an error's message, or the name of its class if empty; at most 160 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def check_all(*checks: Callable[[], Any]) -> list[Any]:
    """What the checks return. Raises one UserError with the messages of all that fail, not just of the first."""
    values: list[Any] = []
    messages: list[str] = []
    for check in checks:
        try:
            values.append(check())
        except UserError as error:
            messages += error.messages
    if messages:
        raise UserError(*dict.fromkeys(messages))
    return values
