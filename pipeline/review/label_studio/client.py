"""Questions to Label Studio and answers back; the only file that knows its SDK.

There is one project for each review, group and page. What passes is waited for; what does not is told in one line, and
the same call goes on from there.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from pipeline.errors import UserError
from pipeline.review.label_studio import page_templates
from pipeline.review.label_studio.exchange import (
    Pictures,
    Project,
    Sent,
    Task,
    Terms,
    read_project,
    send_page,
    task_of,
)
from pipeline.review.label_studio.projects import Cursor, Mark
from pipeline.review.label_studio.retry import Gone, patiently
from pipeline.review.questions.question import GRID, PAIR, Answer, Question

log = logging.getLogger("refinery")
PAGE = 100  # tasks listed at once
SLOW = 120.0  # seconds that one request may take
BEGIN = 20.0  # seconds of patience with a server of which nothing was heard yet
CLIENT: Any = LabelStudio  # its constructor has no types
OWN = ("127.0.0.1", "localhost", "::1")
T = TypeVar("T")


@dataclass(frozen=True)
class Server:
    """Where a Label Studio is, and an access token for it (personal or legacy)."""

    url: str
    token: str = field(repr=False)


class Queue(NamedTuple):
    """How far a project is: its questions, those that somebody answered, those with all votes, and all answers."""

    group: str
    page: str
    questions: int
    answered: int
    finished: int
    answers: int


def send(
    server: Server,
    name: str,
    group: str,
    questions: Sequence[Question],
    pictures: Pictures,
    *,
    wanted: Collection[str],
    votes: int = 2,
    media: Path | None = None,
    annotators: Sequence[str] = (),
) -> Sent:
    """Have these questions on a group's pages, and take away those that nobody answered and nobody wants any more.

    name: of the review; pictures: JPEG bytes by face_id, asked for new questions only; wanted: ids of items that still
    matter; votes: annotators for each question; media: a folder right under the document root of a server on this
    machine, None puts pictures into the tasks; annotators: emails, to whom tasks are assigned where the server can
    (Label Studio Enterprise; written after the description of its interface and never tried, for want of one).
    Raises UserError when the server stays away, refuses, or has no room; what was sent stays.
    """
    studio, sent = Studio(server), []
    wanted = frozenset(wanted) | {item.id for q in questions for item in q.items}
    terms = Terms(wanted, votes, media.absolute() if media else None, tuple(annotators))
    for page in (GRID, PAIR):
        mark, some = Mark(name, group, page), [q for q in questions if q.page == page]
        try:
            sent.append(send_page(studio, mark, some, pictures, terms))
        except Gone:  # somebody deleted the project meanwhile: once more from the beginning
            sent.append(send_page(studio, mark, some, pictures, terms))
    return Sent(*(sum(n) for n in zip(*sent, strict=True)))


def collect(server: Server, name: str, since: Mapping[str, str]) -> tuple[list[Answer], dict[str, str]]:
    """Every annotator's answers that a cursor does not know yet, oldest first, and the cursor that knows them.

    since: what the last collect returned, {} at first. An answer that its annotator changed comes again, with the same
    answer_id and its new time. Answers to tasks that somebody edited are told and left out.
    """
    studio = Studio(server)
    people = {user.id: user.email for user in studio.ask(lambda c: c.users.list(), "its users")}
    answers: list[Answer] = []
    cursors: dict[str, str] = {}
    for project in studio.projects(name):
        with suppress(Gone):
            found, cursors[project.key] = read_project(studio, project, Cursor.read(since.get(project.key, "")), people)
            answers += found
    for key in sorted(set(since) - set(cursors)):
        log.info("project %s is gone from %s: its answers up to the last collect are kept", key, server.url)
    return sorted(answers, key=lambda a: (a.at, a.answer_id)), cursors


def asked(server: Server, name: str) -> dict[str, set[str]]:
    """The ids of all items that are there, answered or not, by group."""
    studio = Studio(server)
    found: dict[str, set[str]] = defaultdict(set)
    for project in studio.projects(name):
        with suppress(Gone):
            found[project.mark.group].update(i for t in studio.tasks(project.id) if t.whole for i in t.items)
    return dict(found)


def counts(server: Server, name: str) -> list[Queue]:
    """How far each project of a review is, by group and page."""
    found = sorted(Studio(server).projects(name), key=lambda p: (p.mark, p.id))
    return [
        Queue(
            p.mark.group,
            p.mark.page,
            p.row.task_number or 0,
            p.row.num_tasks_with_annotations or 0,
            p.row.finished_task_number or 0,
            p.row.total_annotations_number or 0,
        )
        for p in found
    ]


class Studio:
    """A connection to a server, and what is asked of it, in our words; every request is patient."""

    def __init__(self, server: Server) -> None:
        """Raises UserError when nobody answers there, or the token is refused."""
        parts = httpx.URL(server.url) if "://" in server.url else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.host:
            raise UserError(f"{server.url} is no address: give --url like http://127.0.0.1:8080")
        if not server.token.isascii() or not server.token.isprintable() or len(server.token.split()) != 1:
            raise UserError(f"the token for {server.url} is no token: copy it again into LABEL_STUDIO_API_KEY")
        self.url = server.url.rstrip("/")
        # a proxy for the world outside must not be asked for what is on this machine
        web = httpx.Client(timeout=SLOW, follow_redirects=True, trust_env=parts.host not in OWN)
        self.client: Any = patiently(
            lambda _: CLIENT(base_url=self.url, api_key=server.token, httpx_client=web, max_retries=0),
            url=self.url,
            fault=ApiError,
        )
        self.ask(lambda c: c.users.whoami(), "this token", patience=BEGIN)

    def ask(self, call: Callable[[Any], T], what: str, *, patience: float | None = None) -> T:
        """What a request that may be repeated returns. Raises Gone where the server does not know what it is about."""
        return patiently(lambda _: call(self.client), url=self.url, fault=ApiError, what=what, patience=patience)

    def projects(self, name: str) -> list[Project]:
        """The projects of a review, the oldest first."""
        found = []
        counts = "task_number,num_tasks_with_annotations,finished_task_number,total_annotations_number"
        fields = f"id,title,description,created_at,label_config,maximum_annotations,show_collab_predictions,{counts}"
        for rows in self._pages(lambda c, n: c.projects.list(include=fields, page=n, page_size=PAGE), "its projects"):
            for row in rows:
                mark = Mark.read(row.description or "", row.title or "")
                if mark is not None and mark.name == name:
                    found.append(Project(row.id, f"{row.id}@{row.created_at:%Y%m%dT%H%M%S%f}", mark, row))
        return sorted(found, key=lambda p: p.id)

    def make(self, mark: Mark, votes: int) -> Project:
        """A project of that mark, made unless an earlier try did."""

        def make(again: bool) -> Project:
            there = [p for p in self.projects(mark.name) if p.mark == mark] if again else []
            if not there:
                self.client.projects.create(
                    title=mark.title(),
                    description=mark.description(),
                    label_config=page_templates.PAGES[mark.page],
                    maximum_annotations=votes,
                    show_collab_predictions=True,
                    expert_instruction=mark.instruction(),
                    show_instruction=True,
                    enable_empty_annotation=False,
                )
                there = [p for p in self.projects(mark.name) if p.mark == mark]
            return there[0]

        return patiently(make, url=self.url, fault=ApiError, what=f"the project {mark.title()}")

    def put_right(self, project: Project, votes: int) -> Project:
        """The project, with its page as it should be whatever somebody did to it; its title is left to people."""
        row, mark = project.row, project.mark
        right = {
            "label_config": page_templates.PAGES[mark.page],
            "maximum_annotations": votes,
            "show_collab_predictions": True,
            "description": mark.description(row.description or ""),
        }
        wrong = {k: v for k, v in right.items() if getattr(row, k, None) != v}
        if wrong:
            log.info("%s: its %s put right", row.title, " and ".join(k.replace("_", " ") for k in sorted(wrong)))
            try:
                self.ask(lambda c: c.projects.update(project.id, **wrong), f"to change {row.title}")
            except Gone:
                raise
            except UserError as error:
                hint = "give the project another title and no description, and a new one is made"
                raise UserError(f"{error}: its page was changed by hand and answered since; {hint}") from None
        return project

    def show_from(self, project: int, media: Path) -> None:
        """Let a project's pages show pictures from a folder."""

        try:
            media.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make the folder {media}: {error.strerror or error}") from None

        def show(_: bool) -> None:
            local = self.client.import_storage.local
            if str(media) not in {s.path for s in local.list(project=project)}:
                local.create(project=project, path=str(media), title="faces", use_blob_urls=False)

        patiently(show, url=self.url, fault=ApiError, what=f"to show pictures from {media}")

    def tasks(self, project: int) -> list[Task]:
        """All questions of a project, the oldest first; tasks of others are left out."""
        listed = self._pages(
            lambda c, n: c.tasks.list(project=project, page=n, page_size=PAGE, fields="task_only"), f"project {project}"
        )
        return [task_of(row) for rows in listed for row in rows if "question" in (row.data or {})]

    def answered(self, project: int, since: datetime | None) -> Iterator[Any]:
        """The tasks with answers, whole, that changed since then."""
        ask = [_filter("total_annotations", "greater", "Number", 0)]
        if since:
            ask.append(_filter("updated_at", "greater", "Datetime", since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")))
        query = json.dumps({"filters": {"conjunction": "and", "items": ask}})
        for rows in self._pages(
            lambda c, n: c.tasks.list(project=project, page=n, page_size=PAGE, query=query, fields="all"),
            f"project {project}",
        ):
            yield from (row for row in rows if "question" in (row.data or {}))

    def add(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Send tasks; when it fails in a way that may pass, only those that are not there are sent again."""

        def add(again: bool) -> None:
            there = {t.question for t in self.tasks(project)} if again else set()
            new = [t for t in tasks if t["data"]["question"] not in there]
            if new:
                self.client.projects.import_tasks(project, request=new)

        patiently(add, url=self.url, fault=ApiError, what=f"questions for project {project}")

    def withdraw(self, task: int) -> bool:
        """Delete a task, unless somebody answers it at this moment; whether it is gone."""
        try:
            now = self.ask(lambda c: c.tasks.get(str(task)), f"task {task}")
            if now.annotations or now.draft_exists:
                return False
            self.ask(lambda c: c.tasks.delete(str(task)), f"task {task}")
        except Gone:
            pass
        return True

    def assign(self, project: int, emails: Sequence[str]) -> None:
        """Assign a project's tasks to annotators where the server can; never tried, see `send`."""
        if not emails or self.ask(lambda c: c.versions.get(), "its version").edition != "Enterprise":
            return
        people = {u.email: u.id for u in self.ask(lambda c: c.users.list(), "its users")}
        for missing in sorted(set(emails) - set(people)):
            log.info("%s has no account at %s: no question is assigned to them", missing, self.url)
        users = [people[e] for e in emails if e in people]
        for user in users:
            self.ask(partial(_join, project=project, user=user), "to add members")
        every = {"all": True, "excluded": list[int]()}
        self.ask(
            lambda c: c.projects.assignments.bulk_assign(project, type="AN", users=users, selected_items=every),
            "to assign tasks",
        )

    def _pages(self, listing: Callable[..., Any], what: str) -> Iterator[list[Any]]:
        """All rows of a listing, a page at a time; 404 means that nothing is there on the first, the end on others."""
        for number in count(1):
            try:
                rows = list(self.ask(partial(listing, n=number), what).items or [])
            except Gone:
                if number == 1:
                    raise
                return
            yield rows
            if len(rows) < PAGE:
                return


def _join(client: Any, *, project: int, user: int) -> None:
    client.projects.members.add(project, user=user)


def _filter(column: str, operator: str, kind: str, value: object) -> dict[str, object]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
