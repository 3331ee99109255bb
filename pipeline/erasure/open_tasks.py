"""Tasks of Label Studios that show an erased person and could not be removed yet, because a server did not answer.

ROOT/erasures/open_tasks.json holds the ids of their items, and the keys of the projects from which they are gone; the
next `review` command or `erase` removes them from the server that it is called with.
"""

from collections.abc import Collection

from pipeline.faces.tombstones.tombstones import FOLDER
from pipeline.review.answers.question_log import read_question_log
from pipeline.tables import storage

FILE = f"{FOLDER}/open_tasks.json"


def items_about(root: str, faces: Collection[str], identities: Collection[str]) -> list[str]:
    """The ids of sent items that are about these faces, or about these identities: their pages may show the faces."""

    def concerns(name: str | None) -> bool:
        return name is not None and (name in faces or name in identities or name.rpartition("~")[0] in identities)

    return sorted({i.item for i in read_question_log(root) if any(map(concerns, i.finding[2:]))})


def remember_items(root: str, items: Collection[str]) -> None:
    """Remember items whose tasks are to be removed, from all projects."""
    if items:
        storage.put_json(root, FILE, {"items": sorted({*open_items(root), *items})})


def remember_cleared(root: str, projects: Collection[str]) -> None:
    """Remember the keys of projects from which the tasks of all open items are gone."""
    cleared = cleared_projects(root)
    if not cleared.issuperset(projects):
        value = {"items": sorted(open_items(root)), "cleared": sorted({*cleared, *projects})}
        storage.put_json(root, FILE, value)


def cleared_projects(root: str) -> frozenset[str]:
    """The keys of the projects from which the tasks of all open items are gone."""
    return frozenset((storage.get_json(root, FILE) or {}).get("cleared", ()))


def open_items(root: str) -> frozenset[str]:
    """The ids of the items whose tasks are still to be removed."""
    return frozenset((storage.get_json(root, FILE) or {}).get("items", ()))


def forget_items(root: str) -> None:
    """Forget the items: their tasks are gone."""
    if storage.get(root, FILE) is not None:
        storage.remove(root, FILE)
