"""Projects, tasks and annotations on a Label Studio server, and their counts, as plain values."""

import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from pipeline.errors import UserError
from pipeline.review.label_studio.project_mark import ProjectMark
from pipeline.review.questions.question import FacePicture

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# takes face_ids of faces beside their photo, and of faces alone; returns pictures by face_id
Pictures = Callable[[Sequence[str], Sequence[str]], Mapping[str, FacePicture]]


@dataclass(frozen=True)
class Server:
    """The address of a Label Studio server and an access token for it (personal or legacy)."""

    url: str
    token: str = field(repr=False)

    def checked_host(self) -> str:
        """The host in the address. Raises UserError when the address or the token cannot be valid."""
        try:
            parts = httpx.URL(self.url)
        except httpx.InvalidURL:
            parts = httpx.URL("")
        if parts.scheme not in ("http", "https") or not parts.host:
            raise UserError(f"{self.url} is not an address: give --url like http://127.0.0.1:8080")
        if not self.token.isascii() or not self.token.isprintable() or len(self.token.split()) != 1:
            raise UserError(f"the token for {self.url} is not a token: copy it again into LABEL_STUDIO_API_KEY")
        return parts.host

    def web(self, *, timeout_s: float) -> httpx.Client:
        """A client for requests to this server; timeout_s: of each. Raises UserError as checked_host() does."""
        # requests to this machine must not go through a proxy that the environment sets for the internet
        outside = self.checked_host() not in LOOPBACK
        return httpx.Client(timeout=timeout_s, follow_redirects=True, trust_env=outside, verify=_certificates(outside))


@cache
def _certificates(trust_env: bool) -> ssl.SSLContext:
    """Whom to trust; made once in a process, since reading the list of authorities costs a processor 25 ms."""
    return httpx.create_ssl_context(trust_env=trust_env)


@dataclass(frozen=True)
class Review:
    """The review of a root: by this a server's projects are recognised as its own."""

    name: str
    root: str = ""  # the root's id, which its projects carry; "" as long as nothing was sent from the root
    # by these two the root's projects of earlier versions are recognised, which carry no id
    sent_items: Collection[str] = field(default=(), repr=False)  # ids of all items that were sent from the root
    answered_projects: Collection[str] = field(default=(), repr=False)  # keys of the projects of the root's answers


class Progress(NamedTuple):
    """The numbers of questions and answers of a project."""

    questions: int
    answered: int  # questions with at least one answer
    finished: int  # questions with as many answers as the project wants
    answers: int  # answers to all questions

    def wanted(self, votes: int) -> int:
        """How many answers are still wanted; votes: how many each question shall have.

        A finished question has as many as it shall have, some have more; each of the others wants one at least.
        """
        open_questions = self.questions - self.finished
        surplus = max(0, self.answers - self.finished * votes)
        return max(open_questions, open_questions * votes - surplus)


@dataclass(frozen=True)
class GroupProgress:
    """The numbers of a group's questions on one kind of page; see Progress."""

    group: str
    page: str
    questions: int
    answered: int
    finished: int
    answers: int
    seconds_left: float  # that annotators need for the answers that are still wanted, at their pace so far


@dataclass(frozen=True)
class Project:
    """A project of a review, as it is on the server."""

    id: int
    key: str  # id and time of creation, which together are unique over servers
    mark: ProjectMark
    title: str
    description: str
    label_config: str  # the page template
    instruction: str  # to annotators
    votes: int  # how many annotators shall answer each question
    shows_predictions: bool  # whether annotators see the machine's verdicts
    progress: Progress


@dataclass(frozen=True)
class Task:
    """A question on the server."""

    id: int
    question: str  # the question's id
    items: tuple[str, ...]  # the ids of its items
    answered: bool  # whether somebody answered it or began to
    finished: bool  # whether it has as many answers as the project wants
    intact: bool  # whether its ids and pictures are as they were sent
    current: bool  # whether its data has the form that this version sends
    faces: Mapping[str, str]  # face_id of the photo of an item, by the item's id; only items with one photo
    pictures: frozenset[str] = frozenset()  # names of the picture files that its page shows


class SentTask(NamedTuple):
    """A question on the server, with the project that it is in."""

    project: Project
    task: Task


@dataclass(frozen=True)
class Annotation:
    """One annotator's submission to one task."""

    id: int
    at: datetime  # when it was submitted or last changed, by the server's clock
    user: int | None  # id of the annotator's account
    seconds: float  # time spent on the page
    skipped: bool
    results: Any  # in Label Studio's form


@dataclass(frozen=True)
class AnsweredTask:
    """A task with its annotations."""

    data: Any  # as it was sent, or as somebody edited it
    annotations: tuple[Annotation, ...]
    unreadable: int  # number of further annotations, without a valid id or time


class SendCounts(NamedTuple):
    """The numbers of questions that a send added, found on the server, and withdrew."""

    new: int
    present: int  # on the server already
    withdrawn: int  # unanswered questions, deleted because they no longer matter


@dataclass(frozen=True)
class SendTerms:
    """How questions are sent."""

    wanted_items: frozenset[str]  # ids of items that still matter; unanswered questions without these are withdrawn
    votes: int  # how many annotators shall answer each question
    media: Path | None  # folder for pictures, directly in a local server's document root; None: pictures go into tasks
    annotators: tuple[str, ...]  # emails of annotators to whom tasks are assigned (Label Studio Enterprise only)
