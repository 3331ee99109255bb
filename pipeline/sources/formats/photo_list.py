"""Photos that a text file lists with their identities: CelebA, the lists of LightCNN, AdaFace and arcface-pytorch, CSV.

list_lines.py says what the lines of a list look like. One idea: the first lines show below which folder the photos lie,
and how many leading folders of the listed paths belong to the machine where the list was written.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import existing_path, file_stamp, file_stamp_or_missing, is_file, read_bytes
from pipeline.sources.formats.folder_walk import walk
from pipeline.sources.formats.left_out import fewer_suffixes, ignored_by_reason
from pipeline.sources.formats.list_lines import ListedPhoto, listed_photos
from pipeline.sources.photo import Photo, distinct_keys
from pipeline.sources.photo_names import path_tails, plain_path
from pipeline.sources.survey import Survey

# looked for in a folder that is given in place of a list
KNOWN_LISTS = ("identity_CelebA.txt", "metadata.csv", "metadata.jsonl")
TRIED_LINES = 50  # by which the folder of the photos is found
FIRST_LINES = 3  # of these, by which folders beside the list are tried


class Place(NamedTuple):
    """Where the photos of a list lie: in a folder, relative to the list's, without leading folders of their paths."""

    folder: str
    skipped_folders: int


class Part(NamedTuple):
    """A list, where its photos lie, and a digest of the sizes and times of all files."""

    file: str
    place: Place
    digest: str


def parts(path: str | Path) -> list[Part]:
    """The one part of a list; path: of the list, or of a folder with a list of a known name.

    Raises UserError for a file that is no list of photos, or of whose photos none is there.
    """
    file = _list_file(path)
    place = find_place(file)
    hasher = blake2b(repr(tuple(file_stamp(file))).encode(), digest_size=16)
    for listed in listed_photos(file):
        hasher.update(repr(tuple(file_stamp_or_missing(_photo_file(file, place, listed.path)))).encode())
    return [Part(str(file), place, hasher.hexdigest())]


def index(part: Part) -> Iterator[Photo]:
    """A photo for each line; a line that names none gives a photo with a failure that has its number."""
    yield from distinct_keys(_photos(Path(part.file), part.place))


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo; raises PhotoChanged when its file vanished or was changed since it was indexed."""
    return read_bytes(_list_file(path).parent, photo, whole_file=True)


def survey(path: str | Path) -> Survey:
    """The number of files below the list's folder of photos: photos that the list does not name, and others."""
    file = _list_file(path)
    place = find_place(file)
    folder = file.parent / place.folder
    listed = {name_below(place, photo.path) for photo in listed_photos(file) if not photo.fault}
    ignored: Counter[str] = Counter()
    unlisted = 0
    for _, entries, not_entered in walk(folder):
        unlisted += sum(not entry.ignored and entry.name not in listed for entry in entries)
        others = [entry for entry in entries if entry.ignored and (folder / entry.name) != file]
        ignored += ignored_by_reason([*others, *not_entered])
    return Survey(fewer_suffixes(ignored | Counter({"photo that the list does not name": unlisted})))


def _list_file(path: str | Path) -> Path:
    """The list at a path, or in a folder that holds one of a known name."""
    file = existing_path(path)
    if not file.is_dir():
        return file
    known = [file / name for name in KNOWN_LISTS if is_file(file / name)]
    if not known:
        raise UserError(f"{path} is a folder: give the list in it that names each photo and its identity")
    return known[0]


@lru_cache(maxsize=1024)
def _real_folder(folder: Path) -> Path:
    """A folder without links; most neighbouring lines of a list name photos of one folder."""
    return folder.resolve()


def _real_file(photo: Path) -> Path:
    """A photo's path without links."""
    real = _real_folder(photo.parent) / photo.name
    return real.resolve() if real.is_symlink() else real


def _photos(file: Path, place: Place) -> Iterator[Photo]:
    folder = file.parent.parent if place.folder.startswith("..") else file.parent
    source = folder.resolve()
    for listed in listed_photos(file):
        if listed.fault:
            failure = f"unreadable: {file.name} line {listed.line}: {listed.fault}"
            yield Photo(f"{file.name}:line {listed.line}", listed.label or None, "", failure=failure)
            continue
        key = name_below(place, listed.path)
        photo = _photo_file(file, place, listed.path)
        size, modified = file_stamp_or_missing(photo)
        relative = f"{place.folder}/{key}" if place.folder != "." else key
        if size < 0:
            failure = f"unreadable: {file.name} line {listed.line}: the photo is not there"
            yield Photo(key, listed.label, relative, 0, 0, 0, listed.box, failure)
        elif not _real_file(photo).is_relative_to(source):
            failure = f"unreadable: {file.name} line {listed.line}: a link leads out of the source"
            yield Photo(key, listed.label, relative, 0, 0, 0, listed.box, failure)
        else:
            yield Photo(key, listed.label, relative, 0, size, modified, listed.box)


def find_place(file: Path) -> Place:
    """Where the photos of a list's first lines lie. Raises UserError where none of them is there."""
    tried = [p for p in islice(listed_photos(file), TRIED_LINES) if not p.fault]
    if not tried:
        raise UserError(f"{file} names no photos with their identities: give a list of lines such as a/1.jpg Ann")
    depth = max(plain_path(listed.path).count("/") for listed in tried)

    def count(folders: Sequence[Path], photos: Sequence[ListedPhoto]) -> dict[Place, int]:
        """In each place how many of the photos are there; places without one are left out."""
        places = (Place(os.path.relpath(folder, file.parent), n) for n in range(depth + 1) for folder in folders)
        counts = {place: sum(is_file(_photo_file(file, place, p.path)) for p in photos) for place in places}
        return {place: n for place, n in counts.items() if n}

    there = count([file.parent, file.parent.parent], tried)
    if not there:  # of the folders beside the list, of which there may be many, those with one of the first photos
        beside = sorted(path for path in file.parent.iterdir() if path.is_dir())
        likely = count(beside, tried[:FIRST_LINES])
        there = count(sorted({file.parent / place.folder for place in likely}), tried)
    if not there:
        raise UserError(
            f"none of the first photos of {file} is in {file.parent} or its folders, {tried[0].path[:200]} for "
            "example: put the list beside the photos"
        )
    return max(there, key=lambda place: there[place])


def name_below(place: Place, path: str) -> str:
    """A listed path relative to the folder of the photos."""
    plain = plain_path(path)
    return next(islice(path_tails(plain), place.skipped_folders, None), plain.rpartition("/")[2])


def _photo_file(file: Path, place: Place, path: str) -> Path:
    return file.parent / place.folder / name_below(place, path)
