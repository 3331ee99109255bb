"""Targets: files of users, answers of annotators, requests of browsers, and the files of a root or an export.

See targets.py.
"""

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
from pipeline.review.questions.question import CHOICES, GRID, MIXED, PAIR, Item, Question
from pipeline.tables import table
from tests.fuzz.rules import Target, check_rule, check_text
from trainer.data.data_set import open_faces

# tasks as they were sent to the server; an input holds the tasks as the server returns them
PAGES = [
    page_data.task_data(
        Question(page, page, "Ann", ("f",), ("f",), tuple(Item(f"{page}{i}", "f", "yes", "") for i in range(n))),
        PictureAddresses({"f": ""}, {"f": ""}, {"f": ""}),
    )
    for page, n in ((GRID, 3), (PAIR, 1), (MIXED, 3))
]


def _lists(folder: Path) -> None:
    """A list under each value of --says, with identities by number or by name."""
    file, classes = folder / "list.txt", folder / "classes.txt"
    refused: list[UserError] = []
    for says in SAYS:
        try:
            for line in read_lists([file], says=says, classes=classes if classes.is_file() else None):
                check_text(line.name, line.other)
                check_rule(line.name.strip() != "" and line.other != "", "a line names a photo or an identity")
                check_rule(
                    (says == "same") <= (line.other is not None),
                    "a line of `same` names two identities",
                )
        except UserError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _groups(folder: Path) -> None:
    for identity, known in read_groups(folder / "groups.csv").items():
        check_text(identity, known.group, known.title)
        check_rule("" not in (identity, known.group), "every row has an identity and a group")
    for group, people in read_roster(folder / "roster.csv").items():
        check_text(group, *people)
        check_rule(group != "" and len(people) > 0, "every group has annotators")


def _answers(folder: Path) -> None:
    """The tasks of a server: [{"data": {...}, "annotations": [...]}, ...]; a number as data stands for one of PAGES."""
    text = (folder / "cursor").read_text("utf-8", "replace") if (folder / "cursor").is_file() else ""
    cursor = AnswerCursor.read(AnswerCursor.read(text).write({}))  # write() leaves out old entries
    check_rule(AnswerCursor.read(cursor.write({})) == cursor, "a cursor is read as written")
    description = (folder / "project").read_text("utf-8", "replace") if (folder / "project").is_file() else ""
    mark = ProjectMark.read(description, title=description)
    check_rule(mark is None or ProjectMark.read(mark.comment(), title="") == mark, "a project mark is read as written")
    rows = [_row(task) for task in _json(folder / "tasks.json") if isinstance(task, dict)]
    for row in rows:
        if is_question(row):
            is_known = row.data in PAGES
            check_rule(task_of(row).intact >= is_known, "a task that was sent is recognised as unchanged")
    _collected(cursor, rows)


def _collected(cursor: AnswerCursor, rows: list[Any]) -> None:
    annotations = sum(len(row.annotations or []) for row in rows)
    mark, progress = ProjectMark("a", "b", GRID), Progress(0, 0, 0, annotations)
    project = Project(1, "1@a", mark, "a", "", "", "", votes=1, shows_predictions=True, progress=progress)
    tasks = [answered_task_of(row) for row in rows]
    client = cast("StudioClient", SimpleNamespace(answered_tasks=lambda _project, _since: tasks, email=str))
    answers, written = read_project(client, project, cursor, {1: "ann@example.org"})
    items = {item["id"] for row in rows if page_data.is_sealed(row.data) for item in row.data["items"]}
    for answer in answers:
        check_rule(answer.item in items, "an answer is about an item of a task")
        check_rule(
            answer.choice in {c for choices in CHOICES.values() for c in choices},
            "an answer is one of the page's choices",
        )
        check_rule(
            isinstance(answer.at, datetime) and answer.at.tzinfo is not None, "the time of an answer has a time zone"
        )
        check_rule(0 <= answer.seconds < float("inf"), "the duration of an answer is finite and not negative")
    ids = [
        annotation["id"]
        for row in rows
        for annotation in row.annotations or []
        if isinstance(annotation, dict) and "id" in annotation
    ]
    if len(set(map(str, ids))) < len(ids):
        return  # no server gives two annotations the same id
    second_answers, _ = read_project(client, project, AnswerCursor.read(written), {1: "ann@example.org"})
    check_rule(not second_answers, "answers are collected once")


def _row(task: Mapping[str, Any]) -> Any:
    data, annotations = task.get("data"), task.get("annotations")
    sent = PAGES[data % len(PAGES)] if isinstance(data, int) else data if isinstance(data, dict) else None
    return SimpleNamespace(
        id=1,
        data=sent,
        annotations=annotations if isinstance(annotations, list) else None,
        total_annotations=1,
        draft_exists=False,
    )


def _json(file: Path) -> Iterator[Any]:
    """The rows of a file, parsed as Label Studio's SDK does."""
    try:
        rows = json.loads(file.read_bytes()) if file.is_file() else []
    except (ValueError, RecursionError):
        return
    yield from rows if isinstance(rows, list) else []


class _Socket:
    """A connection with one request: the methods of a socket that http.server calls."""

    def __init__(self, request: bytes) -> None:
        self.request, self.answered = request, b""

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.request)

    def sendall(self, data: bytes) -> None:
        self.answered += data

    def settimeout(self, _: float) -> None:
        """No time limit is needed for bytes in memory."""


def _webhook(folder: Path) -> None:
    notified, socket = threading.Event(), _Socket((folder / "request").read_bytes())
    request_handler(notified)(socket, ("127.0.0.1", 1), None)  # type: ignore[arg-type]
    refused = any(socket.answered.startswith(b"HTTP/1.0 %d" % status) for status in (400, 401, 501))
    check_rule(not (notified.is_set() and refused), "a refused request starts nothing")


def _picture(folder: Path) -> None:
    try:
        image = decode((folder / "photo").read_bytes())
    except UnreadablePhoto as reason:
        check_text(str(reason))
        check_rule(str(reason) != "", "an unreadable photo has a reason")
        return
    check_rule(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3, "a photo is [h, w, 3] uint8")
    check_rule(0 < image.shape[0] * image.shape[1] <= MAX_PIXELS, "a photo has 1 to MAX_PIXELS pixels")


def _model(folder: Path) -> None:
    model_file.graph.cache_clear()
    detector_kind.cache_clear()
    kind, side = detector_kind(str(folder / "model.onnx"))
    check_rule(
        kind in ("yunet", "scrfd") and (side is None or side > 0), "the kind and the input size of a detector are known"
    )


def _tables(folder: Path) -> None:
    faces = table.load(str(folder), "faces", "address")
    if faces is not None:
        check_rule(len(faces) == sum(s.rows for s in faces.shards), "the rows of the shards add up to the table")
        for shard in faces.shards:
            check_rule((folder / shard.path).resolve().is_relative_to(folder.resolve()), "a shard lies in its root")
        check_rule(sum(map(len, faces.batches())) >= 0, "every batch of the table is readable")


def _training(folder: Path) -> None:
    """The files that a training opens: an export's .rec, or the manifest of a table."""
    for name in ("train.rec", "faces.json"):
        if (folder / name).is_file():
            faces = open_faces(folder / name)
            check_rule(len(faces.labels) == int(faces.chunk_sizes.sum()), "every photo has a label")
            check_rule(
                sum(len(faces.read(i).jpeg) for i in range(len(faces.chunk_sizes))) == len(faces.labels),
                "every label has a photo",
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
