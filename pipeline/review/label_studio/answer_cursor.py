"""The cursor of a project: which of its answers were collected already, as text that is kept until the next collect.

It holds a time of the server's clock, and the answers collected shortly before that time: an answer may become visible
later than one with a later time. It also holds the number of answers, because a server's clock may be put back: when
the server has more new answers than their times show, all answers are read again.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MAX_DELAY = timedelta(minutes=2)  # an answer may become visible so much later than one with a later time


class AnswerCursor(NamedTuple):
    """The annotations of a project that were read so far."""

    read_until: datetime | None  # the latest time of an annotation that was read; None: none was read yet
    recent: Mapping[int, datetime]  # annotations with times in the MAX_DELAY before read_until: time by id
    newest_id: int = 0  # the highest id of all annotations that were read
    on_server: int = 0  # number of answers on the server at that time

    def begin(self) -> datetime | None:
        """The time from which on annotations must be listed again; None: all must be listed."""
        return self.read_until - MAX_DELAY if self.read_until else None

    def knows(self, annotation: int, at: datetime) -> bool:
        """Whether the annotation with this id was read in the form that it has had since the time `at`."""
        begin = self.begin()
        return begin is not None and (at < begin or self.recent.get(annotation) == at)

    def misses(self, read: Iterable[int], on_server: int) -> bool:
        """Whether the server has more new answers than were read now: its clock was put back, so times hide some.

        read: ids of the annotations read now; on_server: the number of answers on the server now. That number includes
        skipped tasks, so these cause everything to be read again, too.
        """
        return self.read_until is not None and on_server - self.on_server > sum(i > self.newest_id for i in read)

    def write(self, read: Mapping[int, datetime], on_server: int | None = None) -> str:
        """The text of the cursor after further annotations were read; "" when none was ever read.

        read: the time of each of these annotations, by id; on_server: the number of answers on the server, None for the
        number as before.
        """
        times = {**self.recent, **read}
        until = max([*times.values(), *([self.read_until] if self.read_until else [])], default=None)
        if until is None:
            return ""
        recent = sorted((i, t.isoformat()) for i, t in times.items() if t >= until - MAX_DELAY)
        newest = max([self.newest_id, *read])
        count = self.on_server if on_server is None else on_server
        return json.dumps({"at": until.isoformat(), "seen": recent, "last": newest, "of": count}, allow_nan=False)

    @classmethod
    def read(cls, text: str) -> "AnswerCursor":
        """The cursor with this text. Text that is not a cursor gives an empty one: all answers are read again.

        That does no harm, because the ledger keeps an answer once, however often it is read.
        """
        try:
            value = json.loads(text)
            written = (value["at"], *(t for _, t in value["seen"]))
            until, *times = (datetime.fromisoformat(t).astimezone(UTC) for t in written)
            until - MAX_DELAY  # raises OverflowError for a time in the first minutes of the year 1
            recent = {int(i): t for (i, _), t in zip(value["seen"], times, strict=True)}
            return cls(until, recent, int(value.get("last", 0)), int(value.get("of", 0)))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return cls(None, {})
