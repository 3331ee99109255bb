"""One line of `refinery doctor`: a part of the machine, its state, and what to do about it."""

from dataclasses import dataclass

OK, WARNING, MISSING = "ok", "warning", "missing"


@dataclass(frozen=True)
class Check:
    """The check of one part of the machine.

    name: of the part; status: ok, warning (works, but not as well as it could) or missing (needed, but absent or
    broken); found: its version, size or address; advice: what to do about a warning or a missing part, else "".
    """

    name: str
    status: str
    found: str
    advice: str = ""
