"""A connection to a Label Studio server, with the operations that a review needs; the only file that imports its SDK.

A request that fails for a temporary reason is repeated. Before a request that creates something is repeated, the client
looks whether the first try created it, so nothing is created twice.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from label_studio_sdk.base_client import LabelStudioBase  # LabelStudio adds what loads pandas, in a second of CPU
from label_studio_sdk.core.api_error import ApiError
from label_studio_sdk.core.parse_error import ParsingError

from pipeline.errors import UserError
from pipeline.review.label_studio.listing import ListingPage, answered_since, list_projects, list_tasks, read_rows
from pipeline.review.label_studio.project_mark import ProjectMark
from pipeline.review.label_studio.records import AnsweredTask, Project, Review, Server, Task
from pipeline.review.label_studio.retry import NotFoundError, with_retries
from pipeline.review.label_studio.server_rows import answered_task_of, is_question, project_of, task_of

log = logging.getLogger("refinery")
REQUEST_TIMEOUT_S = 120.0
FIRST_PATIENCE_S = 20.0  # how long the first request is repeated: the server may not run at all
SDK: Any = LabelStudioBase  # the SDK's constructor has no type annotations
FAULTS = (ApiError, ParsingError)  # errors of the SDK, with the status and the body of the reply
T = TypeVar("T")


class StudioClient:
    """A connection to a Label Studio server."""

    def __init__(self, server: Server) -> None:
        """Raises UserError when no Label Studio answers there, or the token is refused."""
        web = server.web(timeout_s=REQUEST_TIMEOUT_S)
        self.url = server.url.rstrip("/")
        self.sdk: Any = with_retries(
            lambda _: SDK(base_url=self.url, api_key=server.token, httpx_client=web, max_retries=0),
            url=self.url,
            fault=FAULTS,
        )
        self._ask(lambda sdk: int(sdk.users.whoami().id), "this token", patience_s=FIRST_PATIENCE_S)

    def _ask(self, call: Callable[[Any], T], request: str, *, patience_s: float | None = None) -> T:
        """The result of a call that can be repeated without harm; request: words for error messages.

        Raises NotFoundError when the thing that the request is about is not on the server.
        """
        return with_retries(
            lambda _: call(self.sdk), url=self.url, fault=FAULTS, request=request, patience_s=patience_s
        )

    def emails(self) -> dict[int, str]:
        """The email address of each account, by the account's id."""
        return self._ask(lambda sdk: {int(u.id): str(u.email) for u in sdk.users.list()}, "its users")

    def email(self, user: int) -> str:
        """The email address of an account that emails() does not have; "user N" when the server does not tell it."""
        try:
            return self._ask(lambda sdk: str(sdk.users.get(user).email), f"the account {user}")
        except NotFoundError:
            return f"user {user}"

    def projects(self, review: Review, *, any_name: bool = False) -> list[Project]:
        """The projects of a review, or with any name all of its root, the oldest first, with the root's id in marks."""
        projects = (project_of(row) for rows in self._pages(list_projects, "its projects") for row in rows)
        own = (p for p in projects if p and (any_name or p.mark.name == review.name) and self._is_own(p, review))
        return sorted((replace(p, mark=p.mark._replace(root=review.root)) for p in own), key=lambda p: p.id)

    def _is_own(self, project: Project, review: Review) -> bool:
        """Whether a project with a review's name is of this review, and not of another root whose review has that name.

        A project of an earlier version does not say its root: it is the review's if answers came from it, or if most of
        its questions were sent from the review's root.
        """
        if project.mark.root:
            return project.mark.root == review.root
        if project.key in review.answered_projects:
            return True
        sent_items = frozenset(review.sent_items)
        tasks = self.tasks(project.id) if sent_items else []
        return 2 * sum(not sent_items.isdisjoint(t.items) for t in tasks) > len(tasks)

    def make_project(self, mark: ProjectMark, *, votes: int) -> Project:
        """The project with that mark, created now; votes: how many annotators shall answer each question."""

        def same_mark() -> list[Project]:
            return [p for p in self.projects(Review(mark.name, mark.root)) if p.mark == mark]

        def make(retried: bool) -> Project:
            if retried and (made_before := same_mark()):
                return made_before[0]
            self.sdk.projects.create(
                title=mark.title(),
                description=mark.description(),
                label_config=mark.template(),
                maximum_annotations=votes,
                show_collab_predictions=True,
                expert_instruction=mark.instruction(),
                show_instruction=True,
                enable_empty_annotation=False,
            )
            return same_mark()[0]

        return with_retries(make, url=self.url, fault=FAULTS, request=f"the project {mark.title()}")

    def restore_project(self, project: Project, *, votes: int) -> None:
        """Set a project's page and settings to what they should be, if people changed them; a new title is kept.

        Raises UserError when the server refuses, because tasks were answered on the changed page.
        """
        old_title = ProjectMark.read(title=project.title) is not None  # as an earlier version made it
        settings = {  # the present value and the right value
            "title": (project.title, project.mark.title() if old_title else project.title),
            "label_config": (project.label_config, project.mark.template()),
            "expert_instruction": (project.instruction, project.mark.instruction()),
            "maximum_annotations": (project.votes, votes),
            "show_collab_predictions": (project.shows_predictions, True),
            "description": (project.description, project.mark.description(project.description)),
        }
        changes = {name: right for name, (present, right) in settings.items() if present != right}
        if not changes:
            return
        log.info("%s: restored its %s", project.title, " and ".join(n.replace("_", " ") for n in sorted(changes)))
        try:
            self._ask(lambda sdk: sdk.projects.update(project.id, **changes), f"to change {project.title}")
        except NotFoundError:
            raise
        except UserError as error:
            hint = "delete its instructions and its description, and a new one is made"
            raise UserError(f"{error}: its page was changed by hand and answered since; {hint}") from None

    def show_pictures_from(self, project: int, folder: Path) -> None:
        """Let a project's pages show pictures from a folder on the server's machine; the folder is made if needed."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot make the folder {folder} ({error.strerror or error}): give a folder that can be written to"
            ) from None

        def show(_: bool) -> None:
            local = self.sdk.import_storage.local
            if str(folder) not in {s.path for s in local.list(project=project)}:
                local.create(project=project, path=str(folder), title="faces", use_blob_urls=False)

        with_retries(show, url=self.url, fault=FAULTS, request=f"to show pictures from {folder}")

    def tasks(self, project: int) -> list[Task]:
        """All tasks of a project that are questions of a review, the oldest first."""
        listing = partial(list_tasks, project=project, fields="task_only")
        pages = self._pages(listing, f"project {project}")
        return [task_of(row) for rows in pages for row in rows if is_question(row)]

    def answered_tasks(self, project: int, since: datetime | None) -> Iterator[AnsweredTask]:
        """The questions with annotations that changed since a time of the server's clock.

        since: None for all questions with annotations.
        """
        listing = partial(list_tasks, project=project, fields="all", query=answered_since(since))
        for rows in self._pages(listing, f"project {project}"):
            for task, row in ((answered_task_of(row), row) for row in rows if is_question(row)):
                complete = len(row.annotations or []) >= (row.total_annotations or 0)
                yield task if complete else self._with_all_annotations(row)

    def _with_all_annotations(self, row: Any) -> AnsweredTask:
        """The answered task in a row that has fewer annotations than the server counts."""
        annotations = self._ask(
            lambda sdk: [a.dict() for a in sdk.annotations.list(row.id)], f"answers to task {row.id}"
        )
        if len(annotations) < row.total_annotations:
            raise UserError(
                f"the server at {self.url} lists {len(annotations)} of {row.total_annotations} answers to task "
                f"{row.id}: run again later; nothing was changed"
            )
        return answered_task_of(row, annotations)

    def add_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Add tasks to a project; a try after a temporary failure sends only those that are not on the server yet."""

        def add(retried: bool) -> None:
            sent = {t.question for t in self.tasks(project)} if retried else set()
            missing = [t for t in tasks if t["data"]["question"] not in sent]
            if missing:
                self.sdk.projects.import_tasks(project, request=missing)

        with_retries(add, url=self.url, fault=FAULTS, request=f"questions for project {project}")

    def withdraw_task(self, task: int) -> bool:
        """Delete a task, unless it has an answer or somebody is answering it now; returns whether it is gone."""
        try:
            if self._ask(partial(_is_begun, task=task), f"task {task}"):
                return False
        except NotFoundError:
            return True
        self.delete_task(task)
        return True

    def delete_task(self, task: int) -> None:
        """Delete a task, with its answers."""
        with suppress(NotFoundError):
            self._ask(lambda sdk: sdk.tasks.delete(str(task)), f"task {task}")

    def edition(self) -> str:
        """The edition of the server, Community or Enterprise."""
        return self._ask(lambda sdk: str(sdk.versions.get().edition), "its version")

    def assign_tasks(self, project: int, emails: Sequence[str]) -> None:
        """Assign a project's tasks to annotators; only Label Studio Enterprise can, on other servers this does nothing.

        Written from the description of its API and never run against such a server.
        """
        if not emails or self.edition() != "Enterprise":
            return
        number = {email: user for user, email in self.emails().items()}
        for missing in sorted(set(emails) - set(number)):
            log.info("%s has no account at %s: no question is assigned to this annotator", missing, self.url)
        users = [number[e] for e in emails if e in number]
        for user in users:
            self._ask(partial(_add_member, project=project, user=user), "to add members")
        every = {"all": True, "excluded": list[int]()}
        self._ask(
            lambda sdk: sdk.projects.assignments.bulk_assign(project, type="AN", users=users, selected_items=every),
            "to assign tasks",
        )

    def _pages(self, listing: Callable[..., ListingPage], request: str) -> Iterator[list[Any]]:
        """The rows of a listing, each once, page by page; see read_rows()."""
        return read_rows(
            lambda number: self._ask(partial(listing, page=number), request), listing=f"{request} at {self.url}"
        )


def _is_begun(sdk: Any, *, task: int) -> bool:
    """Whether a task has an answer, or somebody is answering it now."""
    row = sdk.tasks.get(str(task))
    return bool(row.annotations or row.draft_exists)


def _add_member(sdk: Any, *, project: int, user: int) -> None:
    sdk.projects.members.add(project, user=user)
