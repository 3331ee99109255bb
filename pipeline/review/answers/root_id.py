"""The id of a root, by which its projects on a server are told from those of other roots with the same name.

It is made once, when the root first sends questions or is served on schedules, and kept with the ledger: whoever
restores the ledger alone, even in another folder, finds the review's projects again.
"""

import json
import uuid
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.root_lock import root_lock
from pipeline.tables import storage

FILE = "ledger/root.json"


class RootId(NamedTuple):
    """The id of a root, and the name of its review where the user gives none."""

    id: str
    name: str


def read_root_id(root: str) -> RootId | None:
    """The id of a root; None when it was not made yet, or questions were sent by an earlier version only.

    Raises UserError when its file is damaged.
    """
    data = storage.get(root, FILE)
    if data is None:
        return None
    try:
        stored = json.loads(data)
        return RootId(str(stored["id"]), str(stored["name"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise UserError(
            f"{root}/{FILE} is damaged: put it back from a backup; it links the ledger to its questions"
        ) from None


def make_root_id(root: str, name: str) -> RootId:
    """The id of a root, which is made now if there is none; name: of the root's review where the user gives none."""
    with root_lock(root):
        made = read_root_id(root)
        if made is None:
            made = RootId(uuid.uuid4().hex, name)
            storage.put_json(root, FILE, made._asdict())
    return made
