"""Reads the rows that a Label Studio server lists into records.

Any value in a row may be missing or wrong: people edit tasks by hand, other programs write annotations, and a server's
clock may be wrong.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.review.label_studio.page_data import is_current, is_sealed
from pipeline.review.label_studio.project_mark import ProjectMark
from pipeline.review.label_studio.records import Annotation, AnsweredTask, Progress, Project, Task

PICTURE_FILE = re.compile(r"/data/local-files/\?d=[^\"/]*/([0-9a-f]{32}\.jpg)")  # in the addresses of images.py
MAX_SECONDS = 1e6  # longest possible time on one page; a longer one comes from a wrong clock and counts as 0
MIN_YEAR, MAX_YEAR = 2000, 9000  # the year of an annotation lies between these; else its time is wrong


def project_of(row: Any) -> Project | None:
    """The project in a row; None for a project that belongs to no review."""
    template, instruction, description, title = (
        text if isinstance(text, str) else ""
        for text in (row.label_config, row.expert_instruction, row.description, row.title)
    )
    mark = ProjectMark.read(template, instruction, description, title=title)
    if mark is None:
        return None
    counts = (
        row.task_number,
        row.num_tasks_with_annotations,
        row.finished_task_number,
        row.total_annotations_number,
    )
    return Project(
        row.id,
        key=f"{row.id}@{row.created_at:%Y%m%dT%H%M%S%f}",
        mark=mark,
        title=title,
        description=description,
        label_config=template,
        instruction=instruction,
        votes=row.maximum_annotations or 0,
        shows_predictions=row.show_collab_predictions is True,
        progress=Progress(*(n or 0 for n in counts)),
    )


def is_question(row: Any) -> bool:
    """Whether the task in a row is a question of a review; people may have added other tasks to the project."""
    return isinstance(row.data, Mapping) and "question" in row.data


def task_of(row: Any) -> Task:
    """The task in a row that is_question()."""
    listed = row.data.get("items")
    items = (item for item in (listed if isinstance(listed, list) else []) if isinstance(item, Mapping))
    faces = {str(item["id"]): str(item.get("face", "")) for item in items if "id" in item}
    answered = bool((row.total_annotations or 0) > 0 or getattr(row, "draft_exists", False))
    return Task(
        row.id,
        str(row.data["question"]),
        tuple(faces),
        answered,
        finished=bool(getattr(row, "is_labeled", False)),
        intact=is_sealed(row.data),
        current=is_current(row.data),
        faces={item: face for item, face in faces.items() if face},
        pictures=frozenset(PICTURE_FILE.findall(str(row.data))),
    )


def answered_task_of(row: Any, entries: Sequence[Any] | None = None) -> AnsweredTask:
    """The task in a row that is_question(), with its annotations; entries: these, None for those in the row."""
    listed = row.annotations if entries is None else entries
    annotations = [_annotation(entry) for entry in (listed if isinstance(listed, Sequence) else [])]
    readable = tuple(a for a in annotations if a is not None)
    return AnsweredTask(row.data, readable, unreadable=len(annotations) - len(readable))


def _annotation(entry: Any) -> Annotation | None:
    """The annotation in an entry of a row; None when it has no valid id or time."""
    try:
        updated = entry["updated_at"]
        if not isinstance(updated, datetime):
            updated = datetime.fromisoformat(str(updated).replace("Z", "+00:00"))
        at = updated.astimezone(UTC)
        if not isinstance(entry["id"], int) or not MIN_YEAR < at.year < MAX_YEAR:
            return None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    user = entry.get("completed_by")
    user = user.get("id") if isinstance(user, Mapping) else user
    took = entry.get("lead_time")
    return Annotation(
        entry["id"],
        at,
        user=user if isinstance(user, int) else None,
        seconds=took if isinstance(took, int | float) and 0 <= took < MAX_SECONDS else 0.0,
        skipped=bool(entry.get("was_cancelled")),
        results=entry.get("result"),
    )
