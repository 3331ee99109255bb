"""One line of `refinery doctor`: what was looked at, how it is, and what to do about it."""

from dataclasses import dataclass

OK, WARNING, MISSING = "ok", "warning", "missing"


@dataclass(frozen=True)
class Check:
    """name: what was looked at; status: ok, warning (works, not as well as it might) or missing (needed, and broken).

    advice: what to do about a warning or about what is missing; "" where there is nothing to do.
    """

    name: str
    status: str
    found: str
    advice: str = ""
