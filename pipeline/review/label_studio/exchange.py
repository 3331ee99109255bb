"""What is new, what is there and what was answered: the logic of sending and collecting, in our own words.

Everything is looked for by ids that stand in the tasks' own data before it is sent, so a send that was killed, or that
the server answered with an error although it did the work, is completed by the next one and doubles nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.review.label_studio import page_templates
from pipeline.review.label_studio.images import shown, wanted
from pipeline.review.label_studio.projects import Cursor, Mark
from pipeline.review.questions.question import Answer, Question

if TYPE_CHECKING:
    from pipeline.review.label_studio.client import Studio

log = logging.getLogger("refinery")
LONGEST_S = 1e6  # seconds with a page: above, a clock was wrong
SOME_YEAR, NO_YEAR = 2000, 9000  # between which an answer was given
BATCH = 20  # questions that travel together; inside the tasks, their pictures are about 10 MB
Pictures = Callable[[Sequence[str]], Mapping[str, bytes]]


class Sent(NamedTuple):
    """How many questions were sent now, were there already, and were withdrawn unanswered."""

    new: int
    there: int
    withdrawn: int


class Task(NamedTuple):
    """A question that is on the server; whole: as it was sent, as far as answers are concerned."""

    id: int
    question: str
    items: tuple[str, ...]
    answered: bool
    whole: bool


class Project(NamedTuple):
    """A project of ours; key: its id and the time of its making, which no project of another server has, too."""

    id: int
    key: str
    mark: Mark
    row: Any


@dataclass(frozen=True)
class Terms:
    """On what terms questions are sent: see `label_studio.send`."""

    wanted: frozenset[str]
    votes: int
    media: Path | None
    annotators: tuple[str, ...]


def send_page(studio: "Studio", mark: Mark, questions: Sequence[Question], pictures: Pictures, terms: Terms) -> Sent:
    """Have these questions, all of one page, in the project of that mark."""
    ours = [p for p in studio.projects(mark.name) if p.mark == mark]
    if not ours and not questions:
        return Sent(0, 0, 0)
    project = studio.put_right(ours[0], terms.votes) if ours else studio.make(mark, terms.votes)
    there = [t for p in ours for t in studio.tasks(p.id)]
    dead = [t for t in there if not t.answered and (not t.whole or terms.wanted.isdisjoint(t.items))]
    gone = {t.id for t in dead if studio.withdraw(t.id)}
    known = {t.question for t in _only_once(studio, [t for t in there if t.id not in gone]) if t.whole}
    new = [q for q in questions if q.id not in known]
    if new:
        _send(studio, project, new, pictures, terms)
    return Sent(len(new), len(questions) - len(new), len(gone))


def _send(studio: "Studio", project: Project, new: Sequence[Question], pictures: Pictures, terms: Terms) -> None:
    if terms.media is not None:
        studio.show_from(project.id, terms.media)
    for i in range(0, len(new), BATCH):
        batch = new[i : i + BATCH]
        faces = wanted(batch)
        show = shown(faces, pictures(sorted(faces.whole | faces.alone)), terms.media)
        machine = [{"model_version": "machine", "result": page_templates.guessed(q)} for q in batch]
        data = [page_templates.data_of(q, show.whole, show.alone) for q in batch]
        studio.add(project.id, [{"data": d, "predictions": [m]} for d, m in zip(data, machine, strict=True)])
        log.info("%s: %d of %d new questions sent", project.mark.title(), i + len(batch), len(new))
    _only_once(studio, studio.tasks(project.id))
    studio.assign(project.id, terms.annotators)


def _only_once(studio: "Studio", tasks: Sequence[Task]) -> list[Task]:
    """The tasks without those that are there twice: the server may have done what a killed program asked for."""
    by_question: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_question[task.question].append(task)
    kept = []
    for same in by_question.values():
        same.sort(key=lambda t: (not t.whole, not t.answered, t.id))
        kept += [same[0], *(t for t in same[1:] if t.answered or not studio.withdraw(t.id))]
    return kept


def read_project(
    studio: "Studio", project: Project, cursor: Cursor, people: Mapping[int, str]
) -> tuple[list[Answer], str]:
    """The answers of a project that the cursor does not know, and the cursor that knows them as text.

    All of them where the server's clock went back: who keeps them knows which are new.
    """
    of = project.row.total_annotations_number or 0
    answers, read = _read(studio, project, cursor, people)
    if cursor.misses(read, of):
        log.info("%s: more answers than their times tell: all are read again", project.row.title)
        answers, read = _read(studio, project, Cursor(None, {}), people)
    return answers, cursor.write(read, of)


def _read(
    studio: "Studio", project: Project, cursor: Cursor, people: Mapping[int, str]
) -> tuple[list[Answer], dict[int, datetime]]:
    """The answers that the cursor does not know, and the times of all annotations that were read."""
    answers: list[Answer] = []
    read: dict[int, datetime] = {}
    edited = strange = foreign = 0
    for task in studio.answered(project.id, cursor.begin()):
        whole = page_templates.sealed(task.data)
        for given in task.annotations or []:
            at = _time(given)
            if at is None:
                foreign += 1
                continue
            if given.get("was_cancelled") or cursor.knows(given["id"], at):
                continue
            read[given["id"]] = at
            if not whole:
                edited += 1
                continue
            said = page_templates.read(task.data, given.get("result"))
            strange += said.strange
            answers += _answers(task.data, said, given, project.key, at, people)
    if edited:
        log.info("%s: %d answers left out: somebody edited their tasks on the server", project.row.title, edited)
    if strange:
        log.info("%s: %d choices left out: they were made on a page that is not ours", project.row.title, strange)
    if foreign:
        log.info("%s: %d answers left out: they have no id or no time", project.row.title, foreign)
    return answers, read


def _answers(
    data: Mapping[str, Any],
    said: page_templates.Said,
    given: Mapping[str, Any],
    key: str,
    at: datetime,
    people: Mapping[int, str],
) -> Iterable[Answer]:
    by = given.get("completed_by")
    by = by.get("id") if isinstance(by, Mapping) else by
    who = people.get(by, f"user {by}") if isinstance(by, int) else "nobody"
    took = given.get("lead_time")
    seconds = took / len(data["items"]) if isinstance(took, int | float) and 0 <= took < LONGEST_S else 0.0
    for item, choice in said.choices.items():
        yield Answer(item, choice, who, said.knows, at, seconds, data["question"], f"{key}/{given['id']}")


def task_of(row: Any) -> Task:
    """A task as the server lists it."""
    data, items = row.data, row.data.get("items")
    items = tuple(
        str(i["id"]) for i in (items if isinstance(items, list) else []) if isinstance(i, Mapping) and "id" in i
    )
    answered = bool((row.total_annotations or 0) > 0 or getattr(row, "draft_exists", False))
    return Task(row.id, str(data["question"]), items, answered, page_templates.sealed(data))


def _time(given: Any) -> datetime | None:
    """When an annotation was given; None for what is none of a Label Studio's."""
    try:
        value = given["updated_at"]
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        return at.astimezone(UTC) if isinstance(given["id"], int) and SOME_YEAR < at.year < NO_YEAR else None
    except (KeyError, TypeError, ValueError):
        return None
