"""The mark by which a project on the server is recognised as part of a review.

The mark is a line in the project's description, so people may change the title. Where somebody removed that line, the
mark is read from the title.
"""

import json
from hashlib import blake2b
from typing import NamedTuple

from pipeline.review.label_studio.page_templates import TITLES
from pipeline.review.questions.question import GRID, PAIR

MAX_TITLE = 50  # characters of a title, Label Studio's limit
LINE_START = "face-refinery review: "  # how the mark's line in the description begins
INSTRUCTIONS = {  # to annotators, by page
    GRID: "The faces on top are the person, as far as can be told. For each face below say whether it is the same "
    "person; what is chosen already is the machine's view, which is often wrong here. The number or letter beside a "
    "choice is its key: 1 says that the first face is someone else, shift+1 that it is this person.",
    PAIR: "Say whether both sides show the same person: 1 yes, 2 no, 3 cannot tell. What is chosen already is the "
    "machine's view, which is often wrong here.",
}
KEYS_INSTRUCTION = (
    " A key pressed again takes the choice back. y or n: whether you know the person. ctrl+enter submits and brings "
    "the next question; escape closes this note."
)


class ProjectMark(NamedTuple):
    """The review, the group of annotators and the kind of page that a project is for."""

    name: str  # of the review
    group: str
    page: str  # GRID or PAIR

    def title(self) -> str:
        """The project's title; a title that is too long is cut, and a digest keeps it distinct."""
        tail = f" · {TITLES[self.page]}"
        head = f"{self.name} · {self.group}"
        if len(head) + len(tail) <= MAX_TITLE:
            return head + tail
        digest = blake2b(json.dumps(self).encode(), digest_size=3).hexdigest()
        return f"{head[: MAX_TITLE - len(tail) - len(digest) - 1]}…{digest}{tail}"

    def description(self, former: str = "") -> str:
        """The project's description: the mark's line after the lines that people wrote in the former description."""
        kept = [line for line in former.split("\n") if not line.startswith(LINE_START) and line.strip()]
        return "\n".join([*kept, LINE_START + json.dumps(self._asdict(), sort_keys=True, ensure_ascii=True)])

    def instruction(self) -> str:
        """The instruction to annotators for the project's pages."""
        return INSTRUCTIONS[self.page] + KEYS_INSTRUCTION

    @classmethod
    def read(cls, description: str, title: str) -> "ProjectMark | None":
        """The mark of a project with this description and title; None for a project that belongs to no review."""
        for line in description.split("\n"):
            if line.startswith(LINE_START):
                try:
                    mark = cls(**json.loads(line.removeprefix(LINE_START)))
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
