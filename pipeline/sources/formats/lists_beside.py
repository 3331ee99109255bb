"""Lists of labels that lie beside folders of photos, whose folders are used: whether the two agree."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from pipeline.errors import UserError
from pipeline.sources.box_lists import is_box_list
from pipeline.sources.files import files_near, is_file
from pipeline.sources.formats.list_lines import LIST_SUFFIXES, listed_photos
from pipeline.sources.formats.photo_list import TRIED_LINES, find_place, name_below

COMPARED = 100_000  # lines of a list
MAX_LABELS = 0.5  # per photo; what has more is rather a score or a caption of each photo
MIN_PHOTOS = 10  # of a list, before the number of its labels means something
MAX_LISTS = 3  # that are told
MAX_PARTS = 8  # folders of a folder that may be its parts, such as train and test, with a list in each


def list_of_photos(path: Path) -> bool:
    """Whether a file lists photos that are there, with their labels."""
    if path.suffix.lower() not in LIST_SUFFIXES or is_box_list(path.name) or not is_file(path):
        return False
    try:
        find_place(path)
    except UserError:
        return False
    return True


def lists_beside(folder: Path) -> list[Path]:
    """The text files in a folder that name photos which are there, with their labels."""
    return [file for file in files_near(folder) if list_of_photos(file)]


def lists_of(folder: Path) -> list[Path]:
    """The lists in a folder, or one level above, that name photos of this folder."""
    return [f for f in (*lists_beside(folder), *lists_beside(folder.parent)) if _names_photos_in(f, folder)]


def _lists_in_parts(folder: Path) -> Iterator[Path]:
    """The lists in a folder, and in the folders in it where these are few."""
    yield from lists_beside(folder)
    with os.scandir(folder) as entries:
        parts = list(islice((e.path for e in entries if e.is_dir() and not e.name.startswith(".")), MAX_PARTS + 1))
    for part in sorted(parts) if len(parts) <= MAX_PARTS else ():
        yield from lists_beside(Path(part))


def disagreements(folder: Path, identity: Callable[[str], str | None]) -> Iterator[str]:
    """A line for each list whose labels disagree with the identities that the folders give.

    It looks in a folder of photos, and in its parts if they are few.
    identity: of a photo's folder, whose path is relative to `folder`. Labels and folders agree where each label is one
    folder and each folder one label, whatever they are called.
    """
    real_folder = folder.resolve()
    for file in islice(_lists_in_parts(folder), MAX_LISTS):
        place = find_place(file)
        photos = [p for p in islice(listed_photos(file), COMPARED) if not p.fault]
        below = _place_of_photos(file)
        paths = [below / name_below(place, p.path) for p in photos]
        pairs = [
            (str(identity(str(path.parent.relative_to(real_folder))) or ""), photo.label)
            for path, photo in zip(paths, photos, strict=True)
            if path.is_relative_to(real_folder)
        ]
        labels = len({label for _, label in pairs})
        if len(pairs) >= MIN_PHOTOS and labels > MAX_LABELS * len(pairs):
            continue
        apart = max(_apart(pairs), _apart((label, name) for name, label in pairs))
        if apart:
            yield (
                f"{file} gives {apart} of {len(pairs)} photos other labels than their folders do: the folders are "
                f"used; to use the list, give photo-list {file}"
            )


def _names_photos_in(file: Path, folder: Path) -> bool:
    """Whether one of a list's first photos lies in a folder itself."""
    place, below = find_place(file), _place_of_photos(file)
    first = islice(listed_photos(file), TRIED_LINES)
    return any(not p.fault and (below / name_below(place, p.path)).parent == folder for p in first)


def _place_of_photos(file: Path) -> Path:
    return (file.parent / find_place(file).folder).resolve()


def _apart(pairs: Iterable[tuple[str, str]]) -> int:
    """How many pairs (a, b) have another b than most pairs with the same a."""
    counts: dict[str, Counter[str]] = {}
    for a, b in pairs:
        counts.setdefault(a, Counter())[b] += 1
    return sum(count.total() - max(count.values()) for count in counts.values())
