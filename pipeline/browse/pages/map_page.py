"""The map: the place of every person in a few bytes, what is suspicious about each, and names where they are asked for.

Persons are numbered as the rows of the persons table. A hundred thousand of them take 500 KB.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.browse.map.layout import Layout
from pipeline.browse.pages.identity_table import IdentityRow, IdentityTable
from pipeline.browse.photo_index import Rows
from pipeline.browse.snapshot import Snapshot
from pipeline.errors import UserError

# what may be suspicious about a person, in words; the bit of each is 1, 2, 4 in this order
MARKS = {
    "twin": "likely one person with another name",
    "two_persons": "likely two persons",
    "removed": "more than half of the photos removed",
}
LARGEST_PLACE = 2**16 - 1
MAX_LISTED, MAX_FOUND = 500, 20_000  # persons of one request


@dataclass(frozen=True)
class Mark:
    """One kind of suspicion, and how many persons have it."""

    name: str
    words: str
    persons: int


@dataclass(frozen=True)
class MapView:
    """What the map shows in numbers."""

    table: str  # address of the persons table, whose rows have the numbers
    persons: int
    without_person: int  # identities that have no place, because no person was found in them
    marks: list[Mark]


@dataclass(frozen=True)
class MapPerson:
    """One person of the map."""

    number: int
    row: IdentityRow
    medoid: str  # face_id
    marks: list[str]


@dataclass(frozen=True)
class FoundPersons:
    """The persons whose names match a search: their numbers, at most MAX_FOUND, and how many there are."""

    total: int
    numbers: list[int]


def map_view(snapshot: Snapshot, table: IdentityTable) -> MapView:
    """The map in numbers."""
    flags = person_marks(snapshot, table)
    marks = [Mark(name, words, int(((flags >> i) & 1).sum())) for i, (name, words) in enumerate(MARKS.items())]
    photos = snapshot.photos
    with_person = len(np.unique(photos.person_identity[photos.person_identity >= 0]))
    table_address = snapshot.refinement.persons.address
    return MapView(table_address, len(photos.persons), photos.claimed_names - with_person, marks)


def map_bytes(snapshot: Snapshot, table: IdentityTable, places: Layout) -> bytes:
    """Of n persons: x [n] and y [n] as 16 bits, the lowest byte first, then marks [n] as 8 bits.

    places: [n, 2], from -1 to 1.
    """
    if len(places) != len(snapshot.photos.persons):
        raise UserError("the persons have changed: reload the page")
    scaled = np.round((np.clip(places, -1, 1) + 1) / 2 * LARGEST_PLACE).astype("<u2")
    return b"".join(a.tobytes() for a in (scaled[:, 0], scaled[:, 1], person_marks(snapshot, table)))


def person_marks(snapshot: Snapshot, table: IdentityTable) -> NDArray[np.uint8]:
    """For each person [n] the bits of its MARKS.

    A twin is one with which a name is not merged although it was found alike, until people decide about it.
    """
    photos, index = snapshot.photos, snapshot.findings
    code, identity = photos.person_code, photos.person_identity
    alike = np.flatnonzero((index.kind == "merge") & (index.verdict != "yes") & (index.who == "policy"))
    twins = photos.flags(index.subject_name[alike].tolist()) | photos.flags(index.object_name[alike].tolist())
    several = np.isfinite(np.append(table.second_person, np.nan)[identity])
    removed = 2 * table.removed[code] > table.claimed[code]
    return np.asarray(twins[code] + 2 * several + 4 * removed, np.uint8)


def map_persons(
    snapshot: Snapshot, table: IdentityTable, numbers: Sequence[int], *, persons_table: str
) -> list[MapPerson]:
    """The persons with these numbers. Raises UserError for a number that no person has, or of another persons table."""
    photos = snapshot.photos
    if persons_table != snapshot.refinement.persons.address:
        raise UserError("another refinement has other persons: reload the page")
    if not all(0 <= number < len(photos.persons) for number in numbers) or len(numbers) > MAX_LISTED:
        raise UserError("no person of the map has this number: reload the page")
    flags = person_marks(snapshot, table)
    medoids = photos.persons["medoid"].take(np.array(numbers, np.int64)).to_pylist()
    return [
        MapPerson(number, table.row(int(photos.person_code[number])), medoid, _words(int(flags[number])))
        for number, medoid in zip(numbers, medoids, strict=True)
    ]


def found_persons(snapshot: Snapshot, query: str) -> FoundPersons:
    """The persons of whose names this is a part, without regard to case; none for no query."""
    folded = query.casefold()
    names = np.fromiter((folded in name for name in snapshot.photos.folded_names), bool, len(snapshot.photos.names))
    numbers: Rows = np.flatnonzero(names[snapshot.photos.person_code]) if folded else np.empty(0, np.int64)
    return FoundPersons(len(numbers), numbers[:MAX_FOUND].tolist())


def _words(flags: int) -> list[str]:
    return [name for i, name in enumerate(MARKS) if flags >> i & 1]
