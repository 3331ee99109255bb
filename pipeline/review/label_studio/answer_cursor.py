"""How far a project's answers were read, as text that is kept between two collects.

It is a time of the server's own clock, and the answers that were read shortly before it, because an answer that was
given earlier may show up later. As clocks are put right, the number of answers counts besides: where the server has
more of them than were read, all are read again.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MAX_DELAY = timedelta(minutes=2)  # by which an answer shows up later than one that was given after it


class AnswerCursor(NamedTuple):
    """Up to when answers were read, and what was read and was on the server then."""

    read_until: datetime | None  # None: nothing was read yet
    recent: Mapping[int, datetime]  # annotations read within MAX_DELAY before: their times by id
    newest_id: int = 0  # of all annotations read
    on_server: int = 0  # answers

    def begin(self) -> datetime | None:
        """From when on answers have to be looked at again; None: all of them."""
        return self.read_until - MAX_DELAY if self.read_until else None

    def knows(self, annotation: int, at: datetime) -> bool:
        """Whether an annotation, in the form of this time, was read."""
        begin = self.begin()
        return begin is not None and (at < begin or self.recent.get(annotation) == at)

    def misses(self, read: Iterable[int], on_server: int) -> bool:
        """Whether there are more new answers than those read by time, as their times are of a clock that went back.

        read: ids of the annotations read now; on_server: answers there now. Skipped ones count among the latter, and
        for them everything is read again, too.
        """
        return self.read_until is not None and on_server - self.on_server > sum(i > self.newest_id for i in read)

    def write(self, read: Mapping[int, datetime], on_server: int | None = None) -> str:
        """The cursor after further annotations were read, as text; read: their times by id."""
        times = {**self.recent, **read}
        until = max([*times.values(), *([self.read_until] if self.read_until else [])], default=None)
        if until is None:
            return ""
        recent = sorted((i, t.isoformat()) for i, t in times.items() if t >= until - MAX_DELAY)
        newest = max([self.newest_id, *read])
        count = self.on_server if on_server is None else on_server
        return json.dumps({"at": until.isoformat(), "seen": recent, "last": newest, "of": count})

    @classmethod
    def read(cls, text: str) -> "AnswerCursor":
        """A cursor from its text; one that knows nothing where there is none: an answer read twice is kept once."""
        try:
            value = json.loads(text)
            written = (value["at"], *(t for _, t in value["seen"]))
            until, *times = (datetime.fromisoformat(t).astimezone(UTC) for t in written)
            until - MAX_DELAY  # there is no such time in the year 1
            recent = {int(i): t for (i, _), t in zip(value["seen"], times, strict=True)}
            return cls(until, recent, int(value.get("last", 0)), int(value.get("of", 0)))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return cls(None, {})
