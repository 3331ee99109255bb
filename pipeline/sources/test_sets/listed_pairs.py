"""Pairs of photos as a test set's list names them, before the photos are looked up on disk."""

from pathlib import Path
from typing import NamedTuple

FOLDS = 10  # where a list has no folds: genuine and impostor pairs are each cut into ten runs
MAX_FOLDS = 100


class ListedPair(NamedTuple):
    """Two photos of a list, whether they show one person, and the fold.

    a, b: paths below the folder of photos, with or without suffix. place: file and line, for messages. person: the
    person of photo a, where the list names it and a's folder does not.
    """

    a: str
    b: str
    same: bool
    fold: int
    place: str
    person: str | None = None


class PairList(NamedTuple):
    """A list of pairs: the list's file or folder, the folder that photos lie in or below, and the pairs.

    person_folders: the number of leading folders of a photo's path that name its person; 0: all of them.
    """

    file: Path
    folder: Path
    pairs: list[ListedPair]
    person_folders: int = 0


def consecutive_folds(same: list[bool]) -> list[int]:
    """The fold [n] of each pair: the genuine pairs, and the impostor pairs, are each cut into FOLDS runs in order.

    same: [n] whether a pair is genuine.
    """
    counts = {kind: max(1, same.count(kind)) for kind in (True, False)}
    seen = {True: 0, False: 0}
    folds = []
    for kind in same:
        folds.append(FOLDS * seen[kind] // counts[kind])
        seen[kind] += 1
    return folds
