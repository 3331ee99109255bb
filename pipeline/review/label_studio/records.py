"""What a Label Studio server holds of a review, as plain values: projects, tasks, annotations and their numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from pipeline.errors import UserError
from pipeline.review.label_studio.project_mark import ProjectMark

Pictures = Callable[[Sequence[str]], Mapping[str, bytes]]  # JPEG bytes by face_id, of the faces asked for


@dataclass(frozen=True)
class Server:
    """The address of a Label Studio and an access token for it (personal or legacy)."""

    url: str
    token: str = field(repr=False)

    def checked_host(self) -> str:
        """The address's host. Raises UserError for what can be no address or no token."""
        try:
            parts = httpx.URL(self.url)
        except httpx.InvalidURL:
            parts = httpx.URL("")
        if parts.scheme not in ("http", "https") or not parts.host:
            raise UserError(f"{self.url} is no address: give --url like http://127.0.0.1:8080")
        if not self.token.isascii() or not self.token.isprintable() or len(self.token.split()) != 1:
            raise UserError(f"the token for {self.url} is no token: copy it again into LABEL_STUDIO_API_KEY")
        return parts.host


class Progress(NamedTuple):
    """How far the questions of a project are."""

    questions: int
    answered: int  # questions that somebody answered
    finished: int  # questions with as many answers as the project wants
    answers: int  # of all questions


@dataclass(frozen=True)
class GroupProgress:
    """How far a group's questions on one kind of page are; see Progress."""

    group: str
    page: str
    questions: int
    answered: int
    finished: int
    answers: int


@dataclass(frozen=True)
class Project:
    """A project of a review, as the server has it."""

    id: int
    key: str  # the id and the time of its making, which no project of another server has too
    mark: ProjectMark
    title: str
    description: str
    label_config: str
    votes: int  # answers that each question wants
    shows_predictions: bool  # whether annotators see the machine's view
    progress: Progress


@dataclass(frozen=True)
class Task:
    """A question that is on the server."""

    id: int
    question: str  # its id
    items: tuple[str, ...]  # the ids of its items
    answered: bool  # or begun
    intact: bool  # as it was sent, as far as answers are concerned


@dataclass(frozen=True)
class Annotation:
    """What one annotator submitted on one task."""

    id: int
    at: datetime  # of the server's clock, when it was submitted or last changed
    user: int | None  # the server's number of the annotator
    seconds: float  # on the page
    skipped: bool
    results: Any  # as Label Studio has them


@dataclass(frozen=True)
class AnsweredTask:
    """A task with what annotators submitted; unreadable: how many annotations have no id or no time."""

    data: Any  # as it was sent, or as somebody edited it
    annotations: tuple[Annotation, ...]
    unreadable: int


class SendCounts(NamedTuple):
    """How many questions were sent now, were on the server already, and were withdrawn unanswered."""

    new: int
    present: int
    withdrawn: int


@dataclass(frozen=True)
class SendTerms:
    """On what terms questions are sent."""

    wanted_items: frozenset[str]  # ids of items that still matter
    votes: int  # annotators for each question
    media: Path | None  # a folder right under the document root of a local server; None puts pictures into the tasks
    annotators: tuple[str, ...]  # emails, to whom tasks are assigned where the server can
