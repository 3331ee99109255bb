"""Removes the tasks of a Label Studio that may show an erased person, and the pictures that no other task shows."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from flows.review.root_review import collect_cursors, keep_cursors, known_projects, root_review
from flows.review.root_server import media_folder, server_of
from pipeline.erasure.open_tasks import cleared_projects, forget_items, open_items, remember_cleared
from pipeline.erasure.receipt import close_receipts
from pipeline.errors import UserError
from pipeline.review.answers import ledger
from pipeline.review.answers.question_log import read_question_log, to_ledger_rows
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.collect import read_projects
from pipeline.review.label_studio.records import Project, Review, Server


def remove_erased_tasks(root: str, url: str = "") -> str:
    """Remove the tasks that erasures left; a line that says what became of them.

    Where no server answers they stay remembered, and the line says that.
    """
    if not open_items(root):
        return "no question about the person is in Label Studio"
    try:
        server = server_of(root, url)
        client = StudioClient(server)
    except UserError as error:
        return (
            f"tasks in Label Studio and their pictures are still there ({error}): the next `refinery review` command "
            f"with a server removes them, or `refinery erase {root} --yes`"
        )
    tasks, pictures = finish_erased_tasks(root, client, server, root_review(root, ""))
    left = servers_with_tasks(root)
    return f"{tasks} tasks and {pictures} pictures were removed from {server.url}" + (
        f"; there may be more at {', '.join(left)}: refinery erase {quote(root)} --yes --url {quote(left[0])}"
        if left
        else ""
    )


def servers_with_tasks(root: str) -> list[str]:
    """The servers on which there still may be tasks that erasures left, sorted."""
    if not open_items(root):
        return []
    cleared = cleared_projects(root)
    return sorted({server for key, server in known_projects(root).items() if key not in cleared})


def finish_erased_tasks(root: str, client: StudioClient, server: Server, review: Review) -> tuple[int, int]:
    """Remove the tasks that erasures left on a server, and return how many tasks and pictures are gone.

    Their answers are collected into the ledger first, so that they count. All reviews of the root count, whatever their
    names: any of them may show the person, and they have their pictures in one folder. The items are forgotten once
    no project that the root knows is left, on any server.
    """
    if not open_items(root):
        return 0, 0
    projects = client.projects(review, any_name=True)
    removed, pictures = 0, 0
    if not cleared_projects(root).issuperset(project.key for project in projects):
        _collect(root, client, server, review, projects)
        removed, pictures = _remove_tasks(root, client, server, projects)
    # a project that was on this server and is not there any more was deleted, with its tasks
    known_here = (key for key, url in known_projects(root).items() if url == server.url)
    remember_cleared(root, {*known_here, *(project.key for project in projects)})
    if not servers_with_tasks(root):
        forget_items(root)
        close_receipts(root)
    return removed, pictures


def _collect(root: str, client: StudioClient, server: Server, review: Review, projects: Sequence[Project]) -> None:
    answers, cursors = read_projects(
        client, projects, collect_cursors(root, server, review), known_items=review.sent_items
    )
    ledger.append(root, to_ledger_rows(answers, read_question_log(root))[0])
    keep_cursors(root, server, review, cursors)


def _remove_tasks(root: str, client: StudioClient, server: Server, projects: Sequence[Project]) -> tuple[int, int]:
    items, removed, shown = open_items(root), 0, set[str]()
    for project in projects:
        for task in client.tasks(project.id):
            if items.isdisjoint(task.items):
                shown |= task.pictures
            else:
                client.delete_task(task.id)
                removed += 1
    return removed, _remove_pictures(media_folder(root, server.url), shown)


def _remove_pictures(folder: Path | None, shown: set[str]) -> int:
    """Remove the pictures in a folder that no task shows any more."""
    files = [f for f in sorted(folder.glob("*.jpg")) if f.name not in shown] if folder is not None else []
    for file in files:
        file.unlink()
    return len(files)
