"""The intent of an erasure: what it is about, written before anything is removed and removed at the end.

A run that was stopped is finished from it: what was found is not searched again, because by then half of it is gone.
It holds ids of photos and faces, which are digests of their places in the source, and no vector.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import UserError
from pipeline.faces.tombstones.tombstones import FOLDER, PhotoTombstone
from pipeline.open_erasure import INTENT_FILE
from pipeline.tables import storage
from pipeline.tables.digests import is_as_sealed, sealed

DIGITS = 4  # of an erasure's number
REMOVED = "removed "  # begins the names of those counts that are of what is stored of the person


@dataclass(frozen=True)
class Intent:
    """What an erasure is about; `removals` are known once the tables were made again."""

    number: str
    started: str  # UTC
    reason: str
    name: str  # of the person, where the user gives one for the receipt; else ""
    photos: tuple[str, ...]  # face_ids
    faces: tuple[str, ...]  # of further faces, in photos that stay
    tombstones: tuple[PhotoTombstone, ...]
    face_tombstones: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]  # what was found, and what of it is stored, for the receipt
    before: str  # digest of the tables before
    files: tuple[str, ...]  # of tables, before: a run that was stopped leaves others, which the receipt does not count
    ledger: tuple[str, ...] = ()  # files of the ledger and of the question log that name the photos
    items: tuple[str, ...] = ()  # ids of questions whose pages may show the person
    vector: str = ""  # of the person, to be kept; "": none is
    embedder: str = ""  # that made the vector
    removals: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ids(self) -> frozenset[str]:
        """All ids of faces that go."""
        return frozenset((*self.photos, *self.faces))


def now() -> str:
    """The time for a receipt."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def next_number(root: str) -> str:
    """The number of a root's next erasure, from 0001 on."""
    names = [name.removeprefix(f"{FOLDER}/").partition(".")[0] for name in storage.list_files(root, FOLDER)]
    return f"{max((int(name) for name in names if name.isdecimal()), default=0) + 1:0{DIGITS}}"


def write_intent(root: str, intent: Intent) -> None:
    """Write the intent, or write it again with more."""
    storage.put_json(root, INTENT_FILE, sealed(asdict(intent)))


def read_intent(root: str) -> Intent | None:
    """The intent of an erasure that was stopped; None where there is none. Raises UserError where it is damaged."""
    value = storage.get_json(root, INTENT_FILE)
    if value is None:
        return None
    try:
        if not is_as_sealed(value):
            raise ValueError("other content than was written")
        fields: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in value.items() if key != "digest"
        }
        intent = Intent(**fields)
        counts = tuple((str(what), int(n)) for what, n in intent.counts)
        return replace(intent, counts=counts, tombstones=tuple(PhotoTombstone(*photo) for photo in intent.tombstones))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{root}/{INTENT_FILE} is damaged ({error!r}): remove it and give `refinery erase` the same person again"
        ) from None


def remove_intent(root: str) -> None:
    """Remove the intent of an erasure that is finished."""
    storage.remove(root, INTENT_FILE)
