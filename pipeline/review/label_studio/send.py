"""Sends questions to Label Studio: one project for each review, group of annotators and kind of page.

Before questions are sent, the server's tasks are searched for their ids. So after a send that was killed, or that the
server answered with an error although it did the work, the next send adds what is missing and nothing twice.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.images import picture_addresses, shown_faces
from pipeline.review.label_studio.page_data import machine_choices, task_data
from pipeline.review.label_studio.project_mark import ProjectMark
from pipeline.review.label_studio.records import (
    Pictures,
    Project,
    Review,
    SendCounts,
    SendTerms,
    SentTask,
    Task,
)
from pipeline.review.label_studio.retry import NotFoundError
from pipeline.review.questions.question import KINDS, Question

log = logging.getLogger("refinery")
BATCH = 10  # questions in one request: 10 to 20 MB when the tasks hold the pictures


def send_questions(
    client: StudioClient,
    review: Review,
    group: str,
    questions: Sequence[Question],
    pictures: Pictures,
    *,
    wanted_items: Collection[str],
    projects: Sequence[Project] | None = None,
    votes: int = 2,
    media: Path | None = None,
    annotators: Sequence[str] = (),
) -> SendCounts:
    """Send those of a group's questions that are not on the server yet, and withdraw those that no longer matter.

    pictures: called for new questions only; projects: of the review, as they were listed before, None: they are listed
    now; wanted_items, votes, media, annotators: see SendTerms.
    Raises UserError when the server does not answer, refuses, or has no room; questions sent before that stay.
    """
    counts = []
    wanted = frozenset(wanted_items) | {item.id for q in questions for item in q.items}
    terms = SendTerms(wanted, votes, media.absolute() if media else None, tuple(annotators))
    projects = client.projects(review) if projects is None else projects
    for page in KINDS:
        mark, on_page = ProjectMark(review.name, group, page, review.root), [q for q in questions if q.page == page]
        try:
            counts.append(_send_page(client, projects, mark, on_page, pictures=pictures, terms=terms))
        except NotFoundError:  # somebody deleted the project during the send: make it again
            projects = client.projects(review)
            counts.append(_send_page(client, projects, mark, on_page, pictures=pictures, terms=terms))
    return SendCounts(*(sum(n) for n in zip(*counts, strict=True)))


def sent_tasks(client: StudioClient, projects: Iterable[Project]) -> list[SentTask]:
    """All questions of projects that stay on the server: answered ones, and open ones that were not edited."""
    sent = list[SentTask]()
    for project in projects:
        with suppress(NotFoundError):
            tasks = client.tasks(project.id)
            sent += [SentTask(project, t) for t in tasks if t.intact and (t.answered or t.current)]
    return sent


def _send_page(
    client: StudioClient,
    projects: Sequence[Project],
    mark: ProjectMark,
    questions: Sequence[Question],
    *,
    pictures: Pictures,
    terms: SendTerms,
) -> SendCounts:
    """Send the questions of one kind of page to the project with that mark, as send_questions() does.

    projects: those of the review.
    """
    projects = [p for p in projects if p.mark == mark]
    if not projects and not questions:
        return SendCounts(0, 0, 0)
    if projects:
        client.restore_project(projects[0], votes=terms.votes)
    project = projects[0] if projects else client.make_project(mark, votes=terms.votes)
    tasks = [t for p in projects for t in client.tasks(p.id)]
    obsolete = [t for t in tasks if not t.answered and (not t.current or terms.wanted_items.isdisjoint(t.items))]
    withdrawn = {t.id for t in obsolete if client.withdraw_task(t.id)}
    kept = _withdraw_doubles(client, [t for t in tasks if t.id not in withdrawn])
    known = {t.question for t in kept if t.intact}
    new = [q for q in questions if q.id not in known]
    if new:
        _send_new(client, project, new, pictures, terms)
    return SendCounts(len(new), len(questions) - len(new), len(withdrawn))


def _send_new(
    client: StudioClient, project: Project, new: Sequence[Question], pictures: Pictures, terms: SendTerms
) -> None:
    if terms.media is not None:
        client.show_pictures_from(project.id, terms.media)
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        faces = shown_faces(batch)
        made = pictures(sorted(faces.with_photo), sorted(faces.alone))
        addresses = picture_addresses(faces, made, media=terms.media)
        tasks = [
            {
                "data": task_data(question, addresses),
                "predictions": [{"model_version": "machine", "result": machine_choices(question)}],
            }
            for question in batch
        ]
        client.add_tasks(project.id, tasks)
        log.info("%s: %d of %d new questions sent", project.mark.title(), start + len(batch), len(new))
    _withdraw_doubles(client, client.tasks(project.id))
    client.assign_tasks(project.id, terms.annotators)


def _withdraw_doubles(client: StudioClient, tasks: Sequence[Task]) -> list[Task]:
    """Delete second tasks with the same question, and return the tasks that stay.

    They arise when a program was killed and the server carries out its last request later. Answered ones stay.
    """
    by_question: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_question[task.question].append(task)
    kept = []
    for doubles in by_question.values():
        best, *others = sorted(doubles, key=lambda t: (not t.intact, not t.answered, not t.current, t.id))
        kept += [best, *(t for t in others if t.answered or not client.withdraw_task(t.id))]
    return kept
