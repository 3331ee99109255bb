"""The mark by which a project on the server is recognised as part of a review, and what people read about the project.

The mark is a comment in the project's page template and the class of an empty tag in its instructions. Nobody sees
either, so people may change title and description. Projects of earlier versions have it as a line of the description,
or in the title.
"""

import json
import re
from typing import NamedTuple

from pipeline.review.label_studio.page_templates import PAGES, TITLES
from pipeline.review.questions.question import GRID, MIXED, PAIR

MAX_TITLE = 50  # characters of a title, Label Studio's limit
MARK_START = "face-refinery review: "  # how the mark begins, in a comment or (earlier versions) in a line
MARK = re.compile(rf"^(?:<!-- )?{MARK_START}(\{{.*\}})(?: -->)?$", re.MULTILINE)
CLASS_START = "face-refinery-review-"
MARK_CLASS = re.compile(f'<span class="{CLASS_START}([0-9a-f]+)"')
DESCRIPTIONS = {  # for people, by page
    GRID: "Annotators say for each photo whether it shows the person in the top row.",
    PAIR: "Annotators say whether the photos on both sides show the same person.",
    MIXED: "Annotators tick the photos that show one and the same person, if there are such.",
}
HINT = (
    " The hint says what the machine measured: 'chance match: 1 in 7,351' on a page of single photos means that one in "
    "7,351 other people looks as similar as this; on a page of two sides, that one search in 7,351 through all people "
    "of the data finds somebody as similar by chance. Where it ends with 'set by the machine', the choice that is set "
    "already is the machine's view, which is often wrong here: change it where you see otherwise."
)
INSTRUCTIONS = {  # to annotators, by page
    GRID: "The photos in the top row show the person. For each photo below say whether it shows this person or someone "
    f"else.{HINT} The number or letter beside a choice is its key: 1 says that the first photo shows someone else, "
    "shift+1 that it shows this person.",
    PAIR: f"Say whether both sides show the same person: 1 the same, 2 two different people, 3 cannot tell.{HINT}",
    MIXED: "The photos came under one name, but to the machine no two of them are similar. Tick all photos that show "
    "one and the same person (keys 1, 2, 3, ...): the others are removed. If no two photos do, press x; if you cannot "
    "tell, press c.",
}
KEYS_INSTRUCTION = (
    " 'large photo' under a photo opens it over the whole window, and closes it again. A key pressed again takes the "
    "choice back. y or n: whether you know the person. ctrl+enter submits and brings the next question; escape closes "
    "this note."
)


class ProjectMark(NamedTuple):
    """The review, the group of annotators and the kind of page that a project is for."""

    name: str  # of the review
    group: str
    page: str  # a kind of page, one of TITLES
    root: str = ""  # the id of the root that the review is of; "" in projects of earlier versions

    def title(self) -> str:
        """The project's title: the page's question, then the group; a title that is too long is cut."""
        title = f"{TITLES[self.page]} ({self.group})"
        return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 2]}…)"

    def description(self, former: str = "") -> str:
        """The project's description: what people wrote in the former one, or a text for people who see the project."""
        kept = "\n".join(line for line in former.split("\n") if not line.startswith(MARK_START) and line.strip())
        return kept or f"{DESCRIPTIONS[self.page]} Group: {self.group}. Review: {self.name}."

    def _json(self) -> str:
        return json.dumps(self._asdict(), sort_keys=True, ensure_ascii=True, allow_nan=False)

    def comment(self) -> str:
        """The mark as a comment of XML, on a line of its own."""
        text = self._json()
        escaped = text.replace("-", "\\u002d").replace("<", "\\u003c").replace(">", "\\u003e")  # "--" ends a comment
        return f"\n<!-- {MARK_START}{escaped} -->"

    def template(self) -> str:
        """The project's page template, with the mark."""
        return PAGES[self.page] + self.comment()

    def instruction(self) -> str:
        """The instruction to annotators for the project's pages, with the mark."""
        mark = self._json().encode().hex()  # in a class: Label Studio removes comments from instructions
        return f'{INSTRUCTIONS[self.page]}{KEYS_INSTRUCTION}<span class="{CLASS_START}{mark}"></span>'

    @classmethod
    def read(cls, *texts: str, title: str) -> "ProjectMark | None":
        """The first mark in the texts of a project with this title; None for a project that belongs to no review.

        texts: its page template, its instructions and its description.
        """
        for text in texts:
            found = (*MARK.finditer(text), *MARK_CLASS.finditer(text))
            for written in found:
                try:
                    is_hex = written.re is MARK_CLASS
                    mark = cls(**json.loads(bytes.fromhex(written[1]) if is_hex else written[1]))
                except (ValueError, TypeError, RecursionError):
                    continue
                if all(isinstance(word, str) for word in mark) and mark.page in TITLES:
                    return mark
        return cls._of_earlier_title(title)

    @classmethod
    def _of_earlier_title(cls, title: str) -> "ProjectMark | None":
        """The mark in a title as earlier versions made it."""
        parts = title.split(" · ")
        pages = {"who does not belong?": GRID, "the same person?": PAIR}
        page = pages.get(parts[-1], "")
        return cls(" · ".join(parts[:-2]), parts[-2], page) if len(parts) >= 3 and page else None
