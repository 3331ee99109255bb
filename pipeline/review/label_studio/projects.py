"""How a project of ours is known again, and how far its answers were read: a mark and a cursor, both plain text.

The mark is a line in the project's description, which survives a new title; the title serves where somebody removed
the description. The cursor is a time of the server's own clock, and what was read shortly before it, because an answer
that was given earlier may show up later. As clocks are put right, it counts besides: where the server has more answers
than were read, all of them are read again.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from pipeline.review.label_studio.page_templates import TITLES
from pipeline.review.questions.question import GRID, PAIR

LONGEST = 50  # characters of a title, Label Studio's limit
LINE = "face-refinery review: "  # what the mark's line begins with
LATE = timedelta(minutes=2)  # an answer shows up later than one that was given after it by this much at most
HOW = {
    GRID: "The faces on top are the person, as far as can be told. For each face below say whether it is the same "
    "person; what is chosen already is the machine's view, which is often wrong here. The number or letter beside a "
    "choice is its key: 1 says that the first face is someone else, shift+1 that it is this person.",
    PAIR: "Say whether both sides show the same person: 1 yes, 2 no, 3 cannot tell. What is chosen already is the "
    "machine's view, which is often wrong here.",
}
ALWAYS = (
    " A key pressed again takes the choice back. y or n: whether you know the person. ctrl+enter submits and brings "
    "the next question; escape closes this note."
)


class Mark(NamedTuple):
    """What a project is for: a review by its name, a group of annotators, a page."""

    name: str
    group: str
    page: str

    def title(self) -> str:
        """What people see; where it would be too long, a digest tells it from others that begin the same."""
        tail = f" · {TITLES[self.page]}"
        head = f"{self.name} · {self.group}"
        if len(head) + len(tail) <= LONGEST:
            return head + tail
        digest = blake2b(json.dumps(self).encode(), digest_size=3).hexdigest()
        return f"{head[: LONGEST - len(tail) - len(digest) - 1]}…{digest}{tail}"

    def description(self, before: str = "") -> str:
        """What people wrote, and the line by which the project is known."""
        kept = [line for line in before.split("\n") if not line.startswith(LINE) and line.strip()]
        return "\n".join([*kept, LINE + json.dumps(self._asdict(), sort_keys=True, ensure_ascii=True)])

    def instruction(self) -> str:
        """How to answer, for annotators."""
        return HOW[self.page] + ALWAYS

    @classmethod
    def read(cls, description: str, title: str) -> "Mark | None":
        """The mark of a project; None where it is not one of ours."""
        for line in description.split("\n"):
            if line.startswith(LINE):
                try:
                    mark = cls(**json.loads(line.removeprefix(LINE)))
                except (ValueError, TypeError, RecursionError):
                    continue
                if all(isinstance(word, str) for word in mark) and mark.page in TITLES:
                    return mark
        parts = title.split(" · ")
        if len(parts) >= 3:
            pages = {t: page for page, t in TITLES.items()}
            mark = cls(" · ".join(parts[:-2]), parts[-2], pages.get(parts[-1], ""))
            return mark if mark.page else None
        return None


class Cursor(NamedTuple):
    """Up to when answers were read, the ids and times of those read just before; the newest id; how many answers there
    were on the server then."""

    at: datetime | None
    seen: Mapping[int, datetime]
    last: int = 0
    of: int = 0

    def begin(self) -> datetime | None:
        """From when on answers have to be looked at again."""
        return self.at - LATE if self.at else None

    def knows(self, annotation: int, at: datetime) -> bool:
        """Whether an answer, in the form of this time, was read."""
        begin = self.begin()
        return begin is not None and (at < begin or self.seen.get(annotation) == at)

    def misses(self, read: Iterable[int], of: int) -> bool:
        """Whether answers came that are none of those read by time: their times are of a clock that went back.

        of: how many the server has now; those that were skipped among them, for which everything is read again, too.
        """
        return self.at is not None and of - self.of > sum(i > self.last for i in read)

    def write(self, read: Mapping[int, datetime], of: int | None = None) -> str:
        """The cursor after these answers were read, too, as text; of: how many the server has by now."""
        every = {**self.seen, **read}
        at = max([*every.values(), *([self.at] if self.at else [])], default=None)
        if at is None:
            return ""
        recent = sorted((i, t.isoformat()) for i, t in every.items() if t >= at - LATE)
        last = max([self.last, *read])
        return json.dumps({"at": at.isoformat(), "seen": recent, "last": last, "of": self.of if of is None else of})

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """A cursor from its text; from the beginning where there is none: what is read twice is kept once."""
        try:
            value = json.loads(text)
            at, *seen = (
                datetime.fromisoformat(t).astimezone(UTC) for t in (value["at"], *(t for _, t in value["seen"]))
            )
            at - LATE  # there is no such time in the year 1
            known = {int(i): t for (i, _), t in zip(value["seen"], seen, strict=True)}
            return cls(at, known, int(value.get("last", 0)), int(value.get("of", 0)))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return cls(None, {})
