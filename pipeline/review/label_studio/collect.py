"""Collects annotators' answers from Label Studio: all that were not collected before.

Answers are matched to items by the ids in the task's data. Answers to a task whose data was edited on the server are
left out, because they may be about something else than what was sent.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from pipeline.review.label_studio.answer_cursor import AnswerCursor
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.page_data import PageAnswers, is_sealed, read_results
from pipeline.review.label_studio.records import Annotation, AnsweredTask, GroupProgress, Project, Review, Server
from pipeline.review.label_studio.retry import NotFoundError
from pipeline.review.questions.question import NOBODY, Answer

log = logging.getLogger("refinery")
LEFT_OUT = {  # by cause, what a log line says of answers that are left out
    "edited": "answers left out: somebody edited their tasks on the server",
    "foreign choice": "choices left out: the page has no such choice, or they contradict each other",
    "unreadable": "answers left out: they have no id or no time",
}


class ProjectAnswers(NamedTuple):
    """The new answers of a project, and the time of each annotation that was read for them, by id."""

    answers: list[Answer]
    read: dict[int, datetime]


def collect_answers(
    server: Server, review: Review, since: Mapping[str, str], *, known_items: Collection[str] | None = None
) -> tuple[list[Answer], dict[str, str]]:
    """The answers to a review on a server that were not collected before; see read_projects()."""
    client = StudioClient(server)
    return read_projects(client, client.projects(review), since, known_items=known_items)


def read_projects(
    client: StudioClient,
    projects: Iterable[Project],
    since: Mapping[str, str],
    *,
    known_items: Collection[str] | None = None,
) -> tuple[list[Answer], dict[str, str]]:
    """The answers that were not collected before, oldest first, and the cursors for the next collect.

    since: the cursors that the last collect returned, by project; {} the first time. known_items: ids of the items for
    which the question log tells what an answer decides, None for all. The cursor of a project with an answer to another
    item stays where it is, so that its answers come again once the log has that item.
    An answer that its annotator changed is collected again, with the same answer_id and its new time.
    """
    emails = client.emails()
    answers: list[Answer] = []
    cursors: dict[str, str] = {}
    for project in projects:
        with suppress(NotFoundError):
            cursor = AnswerCursor.read(since.get(project.key, ""))
            new, cursors[project.key] = read_project(client, project, cursor, emails)
            answers += new
            if known_items is not None and any(a.item not in known_items for a in new):
                cursors[project.key] = since.get(project.key, "")
    return sorted(answers, key=lambda a: (a.at, a.answer_id)), cursors


def group_progress(projects: Iterable[Project], seconds_per_page: Mapping[str, float]) -> list[GroupProgress]:
    """The numbers of questions and answers of a review's projects, by group and kind of page.

    seconds_per_page: that a page takes, by kind of page.
    """
    ordered = sorted(projects, key=lambda p: (p.mark, p.id))
    return [
        GroupProgress(
            p.mark.group, p.mark.page, *p.progress, p.progress.wanted(p.votes) * seconds_per_page[p.mark.page]
        )
        for p in ordered
    ]


def read_project(
    client: StudioClient, project: Project, cursor: AnswerCursor, emails: dict[int, str]
) -> tuple[list[Answer], str]:
    """The answers of a project that were not read before, and the text of the cursor for the next time.

    When the server's clock was put back, all answers are returned; the ledger leaves out those that it has.
    emails: of annotators, by the id of their account; those of further accounts are added.
    """
    on_server = project.progress.answers
    new = _read_answers(client, project, cursor, emails)
    if cursor.misses(new.read, on_server):
        log.info("%s: the server has more answers than their times show: all are read again", project.title)
        new = _read_answers(client, project, AnswerCursor(None, {}), emails)
    return new.answers, cursor.write(new.read, on_server)


def _read_answers(
    client: StudioClient, project: Project, cursor: AnswerCursor, emails: dict[int, str]
) -> ProjectAnswers:
    new = ProjectAnswers([], {})
    left_out: Counter[str] = Counter()
    for task in client.answered_tasks(project.id, cursor.begin()):
        sealed = is_sealed(task.data)
        left_out["unreadable"] += task.unreadable
        for annotation in task.annotations:
            if annotation.skipped or cursor.knows(annotation.id, annotation.at):
                continue
            new.read[annotation.id] = annotation.at
            if not sealed:
                left_out["edited"] += 1
                continue
            page = read_results(task.data, annotation.results)
            left_out["foreign choice"] += page.foreign
            annotator = _annotator(client, annotation, emails)
            answer_id = f"{project.key}/{annotation.id}"
            new.answers.extend(_answers(task, annotation, page, annotator, answer_id))
    for cause, words in LEFT_OUT.items():
        if left_out[cause]:
            log.info("%s: %d %s", project.title, left_out[cause], words)
    return new


def _annotator(client: StudioClient, annotation: Annotation, emails: dict[int, str]) -> str:
    """The email of the annotator, or NOBODY when the account was deleted."""
    if annotation.user is None:
        return NOBODY
    if annotation.user not in emails:  # the list of accounts was incomplete
        emails[annotation.user] = client.email(annotation.user)
    return emails[annotation.user]


def _answers(
    task: AnsweredTask, annotation: Annotation, page: PageAnswers, annotator: str, answer_id: str
) -> Iterator[Answer]:
    """One answer for each item that the annotation answers; the time spent on the page is divided among the items."""
    seconds = annotation.seconds / len(task.data["items"])
    for item, choice in page.choices.items():
        question = task.data["question"]
        yield Answer(item, choice, annotator, page.knows, annotation.at, seconds, question, answer_id)
