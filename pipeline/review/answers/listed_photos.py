"""Which photos and identities of a refinement the lines of a list name, however the list spells them.

A list may begin with other folders than the data, have another suffix, or leave out the face's number in the picture.
One idea: of the photos that share folder and file name with a line, it names those that agree with it in most folders,
so a full path names one photo, and `folder/photo` every photo of that name. A photo without a folder names the one of
that name; where the data has several, it names none.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.review.answers.list_files import Line, Reading
from pipeline.sources.photo_names import folded_name, folded_path, plain_path

FACE_NUMBER = re.compile(r"-FaceId-\d+$")  # of MS-Celeb-1M: lists of whole pictures have MID/rank alone


class Match(NamedTuple):
    """The readings of a list's lines that name photos of the data, and the first names of the lines that name none."""

    readings: list[Reading]
    unknown: list[str]


class ListedPhotos:
    """The photos that the lines of a list name. It takes two passes over the keys of the data."""

    def __init__(self, lines: Sequence[Line], keys: Iterable[str]) -> None:
        """keys: of all photos of the data, for the first pass."""
        self._readings = [reading for line in lines for reading in line.readings]
        self._by_name: dict[str, int | list[int]] = {}  # mostly one reading, and lists have millions of lines
        for i, reading in enumerate(self._readings):
            same_name = self._by_name.setdefault(_short(folded_path(reading.name)), i)
            if isinstance(same_name, list):
                same_name.append(i)
            elif same_name != i:
                self._by_name[_short(folded_path(reading.name))] = [same_name, i]
        self._best = [0] * len(self._readings)
        without_folder: Counter[int] = Counter()  # the number of photos of that name
        for key in keys:
            for i, agreement in self._agreements(key):
                self._best[i] = max(self._best[i], agreement)
                without_folder[i] += _has_no_folder(self._readings[i].name)
        for i, photos in without_folder.items():
            self._best[i] *= photos < 2
        self._chosen = bytearray(len(self._readings))
        self.match = self._match(lines)

    def reading_of(self, key: str) -> Reading | None:
        """The last reading that names the photo with this key; None: no line names it."""
        named = [i for i, agreement in self._agreements(key) if self._chosen[i] and agreement == self._best[i]]
        return self._readings[max(named)] if named else None

    def _match(self, lines: Sequence[Line]) -> Match:
        """Choose the first reading of each line that names a photo."""
        readings: dict[Reading, None] = {}
        unknown: dict[str, None] = {}
        first = 0
        for line in lines:
            end = first + 1 + len(line.further)
            found = next((i for i in range(first, end) if self._best[i]), None)
            if found is None:
                unknown[line.name] = None
            else:
                readings[self._readings[found]] = None
                self._chosen[found] = True
            first = end
        return Match(list(readings), list(unknown))

    def _agreements(self, key: str) -> Iterator[tuple[int, int]]:
        """The readings that may name a photo, and how well each agrees with its key, in number of folders."""
        folded = folded_path(key)
        yield from ((i, _agreement(key, self._readings[i].name)) for i in self._named(folded))
        if FACE_NUMBER.search(folded):
            whole_picture = FACE_NUMBER.sub("", folded)
            named = self._named(whole_picture)
            yield from ((i, _agreement(whole_picture, self._readings[i].name) - 2) for i in named)

    def _named(self, folded: str) -> Sequence[int]:
        """The readings with the folder and the file name of a folded path."""
        found = self._by_name.get(_short(folded), [])
        alone = self._by_name.get(folded.rpartition("/")[2], []) if "/" in folded else []
        return [i for named in (found, alone) for i in ([named] if isinstance(named, int) else named)]


def identity_finder(identities: Iterable[str]) -> Callable[[str], str | None]:
    """A function that gives the identity of the data that a list's name means, or None; exact names come first."""
    exact = set(identities)
    folded = {folded_name(identity): identity for identity in sorted(exact)}
    return lambda name: name if name in exact else folded.get(folded_name(name))


def _has_no_folder(name: str) -> bool:
    return "/" not in plain_path(name)


def _short(path: str) -> str:
    """The folder and the file of a path."""
    return "/".join(path.split("/")[-2:])


def _agreement(key: str, listed: str) -> int:
    """How well two paths agree, more than 0: in the number of last parts that are equal when folded, then as such."""
    parts, listed_parts = folded_path(key).split("/"), folded_path(listed).split("/")
    count = 0
    for part, listed_part in zip(reversed(parts), reversed(listed_parts), strict=False):
        if part != listed_part:
            break
        count += 1
    tails = (plain_path(path).split("/")[-count:] for path in (key, listed))
    return 4 * count + (2 if next(tails) == next(tails) else 0) + 1
