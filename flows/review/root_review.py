"""The review of a root: by what its projects on a server are recognised, and which of them were seen there last."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.review.answers import ledger
from pipeline.review.answers.question_log import read_question_log
from pipeline.review.answers.root_id import make_root_id, read_root_id
from pipeline.review.label_studio.records import Project, Review, Server
from pipeline.tables import storage

CURSOR_FILE = "asked/cursor.json"
PROJECTS_FILE = "asked/projects.json"


def root_review(root: str, name: str, *, sends: bool = False) -> Review:
    """The review of a root; name: what the user calls it, or "".

    sends: whether questions will be sent: then the root gets an id, if it has none.
    """
    base_name = Path(root).absolute().name
    root_id = make_root_id(root, base_name) if sends else read_root_id(root)
    default = root_id.name if root_id else base_name
    answer_ids = ledger.read(root, superseded=True)["answer_id"].unique().to_pylist()
    return Review(
        name or default,
        root_id.id if root_id else "",
        sent_items=frozenset(i.item for i in read_question_log(root)),
        answered_projects=frozenset(a.rpartition("/")[0] for a in answer_ids),
    )


def deleted_projects(root: str, server: Server, review: Review, present: Iterable[Project]) -> list[str]:
    """The titles of the review's projects that were on the server before and are not there any more."""
    keys = {p.key for p in present}
    return [title for key, title in sorted(_seen(root, server, review).items()) if key not in keys]


def remember_projects(root: str, server: Server, review: Review, present: Iterable[Project]) -> None:
    """Remember which projects of the review are on the server now."""
    seen = {p.key: p.title for p in present}
    if seen != _seen(root, server, review):
        stored = storage.get_json(root, PROJECTS_FILE) or {}
        storage.put_json(root, PROJECTS_FILE, stored | {reviewed_at(server, review): seen})


def known_projects(root: str) -> dict[str, str]:
    """The server of each project of the root, under any name, that was seen when a command last looked, by its key."""
    stored: Mapping[str, Mapping[str, str]] = storage.get_json(root, PROJECTS_FILE) or {}
    return {key: place.partition(" ")[0] for place, seen in stored.items() for key in seen}


def reviewed_at(server: Server, review: Review) -> str:
    """The key under which the state of a review on a server is kept in files of the root."""
    return f"{server.url} {review.name}"


def collect_cursors(root: str, server: Server, review: Review) -> dict[str, str]:
    """The cursors of the last collect, by project."""
    return dict((storage.get_json(root, CURSOR_FILE) or {}).get(reviewed_at(server, review), {}))


def keep_cursors(root: str, server: Server, review: Review, cursors: Mapping[str, str]) -> None:
    """Keep the cursors for the next collect."""
    stored = storage.get_json(root, CURSOR_FILE) or {}
    storage.put_json(root, CURSOR_FILE, stored | {reviewed_at(server, review): cursors})


def _seen(root: str, server: Server, review: Review) -> Mapping[str, str]:
    return dict((storage.get_json(root, PROJECTS_FILE) or {}).get(reviewed_at(server, review), {}))
