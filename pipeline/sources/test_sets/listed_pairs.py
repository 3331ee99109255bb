"""Pairs of photos as the list of a test set writes them, before the photos are looked for on disk."""

from pathlib import Path
from typing import NamedTuple

FOLDS = 10  # where a list has no folds: pairs of one person, and of two, are each cut into so many in a row
MAX_FOLDS = 100


class ListedPair(NamedTuple):
    """Two photos of a list, below its folder of photos, with or without suffix; whether they are one person; the fold.

    place: file and line, for messages. person: that of a, where the list says it and the folder of a does not.
    """

    a: str
    b: str
    same: bool
    fold: int
    place: str
    person: str | None = None


class PairList(NamedTuple):
    """A list of pairs: the file or folder it is, the folder that photos lie in or below, and the pairs.

    person_folders: how many leading folders of a photo's path name its person; 0: all of them.
    """

    file: Path
    folder: Path
    pairs: list[ListedPair]
    person_folders: int = 0


def folds_in_a_row(same: list[bool]) -> list[int]:
    """The fold [n] of each pair: those of one person, and those of two, are each cut into FOLDS in a row."""
    counts = {kind: max(1, same.count(kind)) for kind in (True, False)}
    seen = {True: 0, False: 0}
    folds = []
    for kind in same:
        folds.append(FOLDS * seen[kind] // counts[kind])
        seen[kind] += 1
    return folds
