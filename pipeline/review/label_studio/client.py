"""A connection to a Label Studio server, with the operations that a review needs; the only file that imports its SDK.

A request that fails for a temporary reason is repeated. Before a request that creates something is repeated, the client
looks whether the first try created it, so nothing is created twice.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from pipeline.errors import UserError
from pipeline.review.label_studio.page_templates import PAGES
from pipeline.review.label_studio.project_mark import ProjectMark
from pipeline.review.label_studio.records import AnsweredTask, Project, Server, Task
from pipeline.review.label_studio.retry import NotFoundError, with_retries
from pipeline.review.label_studio.server_rows import answered_task_of, is_question, project_of, task_of

log = logging.getLogger("refinery")
PAGE_SIZE = 100  # rows of one page of a listing
REQUEST_TIMEOUT_S = 120.0
FIRST_PATIENCE_S = 20.0  # how long the first request is repeated: the server may not run at all
SDK: Any = LabelStudio  # the SDK's constructor has no type annotations
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROJECT_FIELDS = (
    "id,title,description,created_at,label_config,maximum_annotations,show_collab_predictions,"
    "task_number,num_tasks_with_annotations,finished_task_number,total_annotations_number"
)
T = TypeVar("T")


class StudioClient:
    """A connection to a Label Studio server."""

    def __init__(self, server: Server) -> None:
        """Raises UserError when no Label Studio answers there, or the token is refused."""
        host = server.checked_host()
        self.url = server.url.rstrip("/")
        # requests to this machine must not go through a proxy that the environment sets for the internet
        web = httpx.Client(timeout=REQUEST_TIMEOUT_S, follow_redirects=True, trust_env=host not in LOOPBACK)
        self.sdk: Any = with_retries(
            lambda _: SDK(base_url=self.url, api_key=server.token, httpx_client=web, max_retries=0),
            url=self.url,
            fault=ApiError,
        )
        self._ask(lambda sdk: sdk.users.whoami(), "this token", patience_s=FIRST_PATIENCE_S)

    def _ask(self, call: Callable[[Any], T], request: str, *, patience_s: float | None = None) -> T:
        """The result of a call that can be repeated without harm; request: words for error messages.

        Raises NotFoundError when the thing that the request is about is not on the server.
        """
        return with_retries(
            lambda _: call(self.sdk), url=self.url, fault=ApiError, request=request, patience_s=patience_s
        )

    def emails(self) -> dict[int, str]:
        """The email address of each account, by the account's id."""
        return {user.id: user.email for user in self._ask(lambda sdk: sdk.users.list(), "its users")}

    def projects(self, review: str) -> list[Project]:
        """The projects of a review, the oldest first."""
        projects = (project_of(row) for rows in self._pages(_list_projects, "its projects") for row in rows)
        return sorted((p for p in projects if p is not None and p.mark.name == review), key=lambda p: p.id)

    def make_project(self, mark: ProjectMark, *, votes: int) -> Project:
        """The project with that mark, created now; votes: how many annotators shall answer each question."""

        def same_mark() -> list[Project]:
            return [p for p in self.projects(mark.name) if p.mark == mark]

        def make(retried: bool) -> Project:
            if retried and (made_before := same_mark()):
                return made_before[0]
            self.sdk.projects.create(
                title=mark.title(),
                description=mark.description(),
                label_config=PAGES[mark.page],
                maximum_annotations=votes,
                show_collab_predictions=True,
                expert_instruction=mark.instruction(),
                show_instruction=True,
                enable_empty_annotation=False,
            )
            return same_mark()[0]

        return with_retries(make, url=self.url, fault=ApiError, request=f"the project {mark.title()}")

    def restore_project(self, project: Project, *, votes: int) -> None:
        """Set a project's page and settings to what they should be, if people changed them; a new title is kept.

        Raises UserError when the server refuses, because tasks were answered on the changed page.
        """
        settings = {  # the present value and the right value
            "label_config": (project.label_config, PAGES[project.mark.page]),
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
            hint = "give the project another title and no description, and a new one is made"
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

        with_retries(show, url=self.url, fault=ApiError, request=f"to show pictures from {folder}")

    def tasks(self, project: int) -> list[Task]:
        """All tasks of a project that are questions of a review, the oldest first."""
        listing = partial(_list_tasks, project=project, fields="task_only")
        pages = self._pages(listing, f"project {project}")
        return [task_of(row) for rows in pages for row in rows if is_question(row)]

    def answered_tasks(self, project: int, since: datetime | None) -> Iterator[AnsweredTask]:
        """The questions with annotations that changed since a time of the server's clock.

        since: None for all questions with annotations.
        """
        filters = [_filter("total_annotations", "greater", "Number", 0)]
        if since:
            filters.append(_filter("updated_at", "greater", "Datetime", since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")))
        query = json.dumps({"filters": {"conjunction": "and", "items": filters}})
        listing = partial(_list_tasks, project=project, fields="all", query=query)
        for rows in self._pages(listing, f"project {project}"):
            yield from (answered_task_of(row) for row in rows if is_question(row))

    def add_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Add tasks to a project; a try after a temporary failure sends only those that are not on the server yet."""

        def add(retried: bool) -> None:
            sent = {t.question for t in self.tasks(project)} if retried else set()
            missing = [t for t in tasks if t["data"]["question"] not in sent]
            if missing:
                self.sdk.projects.import_tasks(project, request=missing)

        with_retries(add, url=self.url, fault=ApiError, request=f"questions for project {project}")

    def withdraw_task(self, task: int) -> bool:
        """Delete a task, unless it has an answer or somebody is answering it now; returns whether it is gone."""
        try:
            now = self._ask(lambda sdk: sdk.tasks.get(str(task)), f"task {task}")
            if now.annotations or now.draft_exists:
                return False
            self._ask(lambda sdk: sdk.tasks.delete(str(task)), f"task {task}")
        except NotFoundError:
            pass
        return True

    def assign_tasks(self, project: int, emails: Sequence[str]) -> None:
        """Assign a project's tasks to annotators; only Label Studio Enterprise can, on other servers this does nothing.

        Written from the description of its API and never run against such a server.
        """
        if not emails or self._ask(lambda sdk: sdk.versions.get(), "its version").edition != "Enterprise":
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

    def _pages(self, listing: Callable[..., Any], request: str) -> Iterator[list[Any]]:
        """The pages of a listing, each a list of rows.

        Label Studio answers 404 for the page after the last one; on the first page it means that the thing is gone.
        """
        for number in count(1):
            try:
                rows = list(self._ask(partial(listing, page=number), request).items or [])
            except NotFoundError:
                if number == 1:
                    raise
                return
            yield rows
            if len(rows) < PAGE_SIZE:
                return


def _list_projects(sdk: Any, *, page: int) -> Any:
    return sdk.projects.list(include=PROJECT_FIELDS, page=page, page_size=PAGE_SIZE)


def _list_tasks(sdk: Any, *, project: int, page: int, fields: str, query: str | None = None) -> Any:
    return sdk.tasks.list(project=project, page=page, page_size=PAGE_SIZE, fields=fields, query=query)


def _add_member(sdk: Any, *, project: int, user: int) -> None:
    sdk.projects.members.add(project, user=user)


def _filter(column: str, operator: str, kind: str, value: object) -> dict[str, object]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
