"""Targets: what users, annotators and browsers hand in, and what a root or a training holds (see targets.py)."""

import io
import json
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from flows.schedule.webhook import request_handler
from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.detect import detector_kind
from pipeline.faces.picture import MAX_PIXELS, UnreadablePhoto, decode
from pipeline.review.answers.list_files import SAYS, read_lists
from pipeline.review.groups import read_groups, read_roster
from pipeline.review.label_studio import page_data
from pipeline.review.label_studio.answer_cursor import AnswerCursor
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.collect import read_project
from pipeline.review.label_studio.images import PictureAddresses
from pipeline.review.label_studio.project_mark import ProjectMark
from pipeline.review.label_studio.records import Progress, Project
from pipeline.review.label_studio.server_rows import answered_task_of, is_question, task_of
from pipeline.review.questions.question import CHOICES, GRID, PAIR, Item, Question
from pipeline.tables import table
from tests.fuzz.rules import Target, holds, is_text
from trainer.data.data_set import open_faces

# the tasks that were sent; an input says what came back
PAGES = [
    page_data.task_data(
        Question(page, page, "Ann", ("f",), ("f",), tuple(Item(f"{page}{i}", "f", "yes", "") for i in range(n))),
        PictureAddresses({"f": ""}, {"f": ""}),
    )
    for page, n in ((GRID, 3), (PAIR, 1))
]


def _lists(folder: Path) -> None:
    """A list under each of its meanings; with identities by number and without."""
    file, classes = folder / "list.txt", folder / "classes.txt"
    refused: list[UserError] = []
    for says in SAYS:
        try:
            for line in read_lists([file], says=says, classes=classes if classes.is_file() else None):
                is_text(line.name, line.other)
                holds(line.name.strip() != "" and line.other != "", "a line names something")
                holds((says == "same") <= (line.other is not None), "two identities a line")
        except UserError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _groups(folder: Path) -> None:
    for identity, known in read_groups(folder / "groups.csv").items():
        is_text(identity, known.group, known.title)
        holds("" not in (identity, known.group), "an identity and a group each")
    for group, people in read_roster(folder / "roster.csv").items():
        is_text(group, *people)
        holds(group != "" and len(people) > 0, "a group with annotators")


def _answers(folder: Path) -> None:
    """What a server lists: [{"data": {...}, "annotations": [...]}, ...]; data that is a number is a task of ours."""
    text = (folder / "cursor").read_text("utf-8", "replace") if (folder / "cursor").is_file() else ""
    cursor = AnswerCursor.read(AnswerCursor.read(text).write({}))  # which leaves out what was read long before
    holds(AnswerCursor.read(cursor.write({})) == cursor, "a cursor comes back")
    description = (folder / "project").read_text("utf-8", "replace") if (folder / "project").is_file() else ""
    mark = ProjectMark.read(description, description)
    holds(mark is None or ProjectMark.read(mark.description(), "") == mark, "a project is known again")
    rows = [_row(task) for task in _json(folder / "tasks.json") if isinstance(task, dict)]
    for row in rows:
        if is_question(row):
            is_known = row.data in PAGES
            holds(task_of(row).intact >= is_known, "a task that was sent is known again")
    _collected(cursor, rows)


def _collected(cursor: AnswerCursor, rows: list[Any]) -> None:
    many = sum(len(row.annotations or []) for row in rows)
    mark, progress = ProjectMark("a", "b", GRID), Progress(0, 0, 0, many)
    project = Project(1, "1@a", mark, "a", "", "", votes=1, shows_predictions=True, progress=progress)
    tasks = [answered_task_of(row) for row in rows]
    client = cast("StudioClient", SimpleNamespace(answered_tasks=lambda _project, _since: tasks))
    found, written = read_project(client, project, cursor, {1: "ann@example.org"})
    items = {item["id"] for row in rows if page_data.is_sealed(row.data) for item in row.data["items"]}
    for answer in found:
        holds(answer.item in items, "answers are about what was asked")
        holds(answer.choice in {c for choices in CHOICES.values() for c in choices}, "a choice of the page")
        holds(
            isinstance(answer.at, datetime) and answer.at.tzinfo is not None, "a time that others can be held against"
        )
        holds(0 <= answer.seconds < float("inf"), "seconds")
    ids = [given["id"] for row in rows for given in row.annotations or [] if isinstance(given, dict) and "id" in given]
    if len(set(map(str, ids))) < len(ids):
        return  # no server gives two answers one id
    again, _ = read_project(client, project, AnswerCursor.read(written), {1: "ann@example.org"})
    holds(not again, "what was collected does not come again")


def _row(task: Mapping[str, Any]) -> Any:
    data, given = task.get("data"), task.get("annotations")
    sent = PAGES[data % len(PAGES)] if isinstance(data, int) else data if isinstance(data, dict) else None
    return SimpleNamespace(
        id=1, data=sent, annotations=given if isinstance(given, list) else None, total_annotations=1, draft_exists=False
    )


def _json(file: Path) -> Iterator[Any]:
    """The rows of a file, read as the SDK does before we see any."""
    try:
        found = json.loads(file.read_bytes()) if file.is_file() else []
    except (ValueError, RecursionError):
        return
    yield from found if isinstance(found, list) else []


class _Wire:
    """The end of a connection that a request came through: as much of a socket as http.server asks for."""

    def __init__(self, request: bytes) -> None:
        self.request, self.answered = request, b""

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.request)

    def sendall(self, data: bytes) -> None:
        self.answered += data

    def settimeout(self, _: float) -> None:
        """Bytes do not keep anyone waiting."""


def _webhook(folder: Path) -> None:
    rung, wire = threading.Event(), _Wire((folder / "request").read_bytes())
    request_handler(rung)(wire, ("127.0.0.1", 1), None)  # type: ignore[arg-type]
    refused = any(wire.answered.startswith(b"HTTP/1.0 %d" % status) for status in (400, 401, 501))
    holds(not (rung.is_set() and refused), "who is refused does not ring")


def _picture(folder: Path) -> None:
    try:
        image = decode((folder / "photo").read_bytes())
    except UnreadablePhoto as reason:
        is_text(str(reason))
        holds(str(reason) != "", "a reason in words")
        return
    holds(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3, "8-bit colour")
    holds(0 < image.shape[0] * image.shape[1] <= MAX_PIXELS, "pixels, and no more than there may be")


def _model(folder: Path) -> None:
    model_file.graph.cache_clear()
    detector_kind.cache_clear()
    kind, side = detector_kind(str(folder / "model.onnx"))
    holds(kind in ("yunet", "scrfd") and (side is None or side > 0), "a detector has a side")


def _tables(folder: Path) -> None:
    found = table.load(str(folder), "faces", "address")
    if found is not None:
        holds(len(found) == sum(s.rows for s in found.shards), "rows add up")
        for shard in found.shards:
            holds((folder / shard.path).resolve().is_relative_to(folder.resolve()), "a shard lies in its root")
        holds(sum(map(len, found.batches())) >= 0, "a table")


def _training(folder: Path) -> None:
    """What a training opens: an export's .rec, or the manifest of a table."""
    for name in ("train.rec", "faces.json"):
        if (folder / name).is_file():
            faces = open_faces(folder / name)
            holds(len(faces.labels) == int(faces.chunk_sizes.sum()), "a label a photo")
            holds(
                sum(len(faces.read(i).jpeg) for i in range(len(faces.chunk_sizes))) == len(faces.labels),
                "a picture a label",
            )


TARGETS = {
    "lists": Target(("list.txt", "classes.txt"), _lists),
    "groups": Target(("groups.csv", "roster.csv"), _groups),
    "answers": Target(("tasks.json", "cursor", "project"), _answers),
    "webhook": Target(("request",), _webhook),
    "picture": Target(("photo",), _picture),
    "model": Target(("model.onnx",), _model),
    "tables": Target(("faces/address.json", "faces/part.parquet"), _tables),
    "training": Target(("train.rec", "train.idx", "faces.json", "part.parquet"), _training),
}
