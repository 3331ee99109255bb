"""Folders of photos: identity/photo.jpg, nested as deep as one likes; the identity is the folder's path.

One idea: the tree is walked once for a digest of every folder that holds photos; folders are dealt to parts by a hash
of their path, so a data set that grows by a few people changes a few parts.
"""

import os
import stat
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources import Photo, existing, read_bytes

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
FOLDERS_A_PART = 256  # 100,000 identities make 512 parts
MOST_PARTS = 512


class Part(NamedTuple):
    """Some folders of a tree, relative to its root, and a digest of what lies in them."""

    root: str
    folders: tuple[str, ...]
    digest: str


class Entry(NamedTuple):
    """One thing found in a folder; `ignored` says why it is no photo, `failure` why a photo cannot be read."""

    name: str  # relative to the root, with /
    size: int = 0
    modified: int = 0
    ignored: str = ""
    failure: str = ""


def parts(path: str | Path, *, flat: bool = False) -> list[Part]:
    """Groups of folders with photos in them; flat: photos right in the root are enough.

    Raises UserError for a path that is missing or no folder, a folder that cannot be read, and a tree without photos
    or, unless flat, without a folder for each identity.
    """
    root = folder(path)
    digests: dict[str, str] = {}
    others = 0
    for name, entries in walk(root):
        digests |= {name: _digest(entries)} if any(not e.ignored for e in entries) else {}
        others += sum(bool(e.ignored) for e in entries)
    if not digests:
        raise UserError(f"{root} holds no photo ({others} other files): give a folder of identity/photo.jpg")
    if not flat and not any(digests):
        raise UserError(f"{root} holds photos but no identities: put each person's photos in a folder of their own")
    return deal(root, digests)


def deal(root: Path, digests: dict[str, str]) -> list[Part]:
    """Folders grouped by a hash of their path; their number is a power of two, so that growth rarely moves one."""
    groups = 1
    while groups < min(MOST_PARTS, len(digests) / FOLDERS_A_PART):
        groups *= 2
    dealt: list[list[str]] = [[] for _ in range(groups)]
    for name in sorted(digests):
        number = blake2b(os.fsencode(name), digest_size=4).digest()
        dealt[int.from_bytes(number, "little") % groups].append(name)
    return [Part(str(root), tuple(d), _join(digests[name] for name in d)) for d in dealt if d]


def index(part: Part) -> Iterator[Photo]:
    """The photos of a part, folder by folder; a name that is no UTF-8 gives a photo with a failure."""
    root = Path(part.root)
    for name in part.folders:
        for entry in listing(root, name):
            if not entry.ignored:
                yield photo_of(entry, name or None)


def read(path: str | Path, photo: Photo) -> bytes:
    """A photo's bytes; raises Changed when its file vanished or is another than was indexed."""
    return read_bytes(path, photo, whole=True)


def ignored(path: str | Path, expected: Callable[[str], bool] = lambda _: False) -> dict[str, int]:
    """How many entries of a tree are no photos, by reason, except for the files the caller expected."""
    counts: dict[str, int] = {}
    for _, entries in walk(folder(path)):
        for entry in entries:
            if entry.ignored and not expected(entry.name):
                counts[entry.ignored] = counts.get(entry.ignored, 0) + 1
    return counts


def folder(path: str | Path) -> Path:
    """The absolute path of a folder; UserError when there is none or it is a file."""
    root = existing(path)
    if not root.is_dir():
        raise UserError(f"{path} is a file: give the folder that holds the photos")
    return root


def photo_of(entry: Entry, identity: str | None) -> Photo:
    """An entry as a photo; one whose name cannot be written as UTF-8 is a failure under an escaped name."""
    key, who = readable(entry.name), None if identity is None else readable(identity)
    failure = entry.failure or ("unreadable: its name is no UTF-8: rename it" if key != entry.name else None)
    return Photo(key, who, key, 0, entry.size, entry.modified, None, failure or None)


def readable(name: str) -> str:
    """A file name as valid Unicode: what it is when it is UTF-8, its odd bytes as \\xNN otherwise."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def walk(root: Path) -> Iterator[tuple[str, list[Entry]]]:
    """Every folder below a root, and its entries, in the order of their names; hidden folders are not entered.

    Links are followed, except to a folder one is in already. Raises UserError for a folder that cannot be read.
    """
    yield from _walk(root, "", (_inode(root),))


def _walk(root: Path, name: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, list[Entry]]]:
    entries, below = [], []
    for entry in listing(root, name, folders=True):
        if entry.ignored != "folder":
            entries.append(entry)
        elif (inode := _inode(root / entry.name)) in above:
            entries.append(entry._replace(ignored="link to a folder above"))
        else:
            below.append((entry.name, inode))
    yield name, entries
    for child, inode in below:
        yield from _walk(root, child, (*above, inode))


def listing(root: Path, name: str, *, folders: bool = False) -> list[Entry]:
    """What lies in one folder, sorted by name; folders too when asked, as ignored "folder"."""
    try:
        with os.scandir(root / name) as found:
            entries = [_entry(f"{name}/{e.name}" if name else e.name, e) for e in found]
    except OSError as error:
        raise UserError(
            f"the folder {readable(str(root / name))!r} cannot be read ({error.strerror}): mend it or leave it out"
        ) from None
    return sorted(e for e in entries if folders or e.ignored != "folder")


def _entry(name: str, found: os.DirEntry[str]) -> Entry:
    if found.name.startswith("."):
        return Entry(name, ignored="hidden")
    named_photo = PurePosixPath(found.name).suffix.lower() in SUFFIXES
    try:
        about = found.stat()
    except OSError:
        if named_photo:
            return Entry(name, failure="unreadable: a link to nothing")
        return Entry(name, ignored="link to nothing")
    if stat.S_ISDIR(about.st_mode):
        return Entry(name, ignored="folder")
    if not stat.S_ISREG(about.st_mode):
        return Entry(name, ignored="neither file nor folder")  # opening a pipe would wait for ever
    return Entry(name, about.st_size, about.st_mtime_ns, "" if named_photo else "not a photo")


def _inode(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino


def _digest(entries: list[Entry]) -> str:
    return _join(repr(tuple(e)) for e in entries)


def _join(words: Iterator[str]) -> str:
    hasher = blake2b(digest_size=16)
    for word in words:
        hasher.update(os.fsencode(word) + b"\0")
    return hasher.hexdigest()
