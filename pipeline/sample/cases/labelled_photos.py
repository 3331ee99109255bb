"""Photos with their truth, from which cases are made, and the folder that a case is written to.

A maker takes the photos of a data set whose truth is known (a folder as `refinery sample world` writes it) and gives
other ones: the same pictures under other identities. So a case can be planted in anybody's data.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.sample.cases.truth_tables import COLUMNS, read_rows


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and the truth about it: see pipeline/README.md, "A known truth"."""

    path: str  # below photos/
    claimed: str  # identity
    person: str
    kind: str  # clean, outlier, flip, duplicate or junk
    of: str = ""  # of a duplicate the path of the original
    source: str = ""  # the path of the picture's file in the folder that the case was made from; "": the same path

    @property
    def file(self) -> str:
        """The path of the picture's file in the folder that the case was made from."""
        return self.source or self.path


def read_photos(folder: Path) -> list[LabelledPhoto]:
    """The photos of a folder with photos/ and truth.tsv. Raises UserError when the truth is missing or unreadable."""
    return [LabelledPhoto(*(row[c] for c in COLUMNS)) for row in read_rows(folder)]


def moved(photo: LabelledPhoto, identity: str, person: str) -> LabelledPhoto:
    """The photo under another identity, which stands for `person`."""
    kind = "clean" if photo.person == person else "outlier"
    path = f"{identity}/{photo.file.replace('/', '-')}"
    return LabelledPhoto(path, identity, photo.person, kind, source=photo.file)


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link to a file, or a copy of it on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def persons_of(photos: Iterable[LabelledPhoto]) -> dict[str, tuple[str, ...]]:
    """By identity the persons of its clean photos."""
    persons: dict[str, set[str]] = {}
    for photo in photos:
        if photo.kind == "clean":
            persons.setdefault(photo.claimed, set()).add(photo.person)
    return {claimed: tuple(sorted(shown)) for claimed, shown in persons.items()}


def clean_photos(photos: Iterable[LabelledPhoto]) -> dict[str, list[LabelledPhoto]]:
    """The clean photos of each person, the person and the paths in order."""
    by_person: dict[str, list[LabelledPhoto]] = {}
    for photo in sorted(photos, key=lambda p: (p.person, p.path)):
        if photo.kind == "clean":
            by_person.setdefault(photo.person, []).append(photo)
    return by_person
