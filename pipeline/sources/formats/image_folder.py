"""Folders of photos: identity/photo.jpg, nested to any depth; the identity is the path of the photo's folder.

One idea: the tree is walked once, and every folder that holds photos gets a digest of its entries. Folders are grouped
into parts by a hash of their path, so a data set that grows by a few identities changes a few parts.
"""

import os
import stat
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import existing_path, read_bytes
from pipeline.sources.photo import Photo

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
FOLDERS_PER_PART = 256  # 100,000 identities make 512 parts
MAX_PARTS = 512


class Part(NamedTuple):
    """Some folders of a tree, relative to its root, and a digest of their entries."""

    root: str
    folders: tuple[str, ...]
    digest: str


class FolderEntry(NamedTuple):  # its values enter the digest of a part
    """An entry of a folder. ignored: why it is not a photo, "" for a photo. failure: why a photo cannot be read."""

    name: str  # relative to the root, with /
    size: int = 0
    modified: int = 0
    ignored: str = ""
    failure: str = ""


def parts(path: str | Path, *, flat: bool = False) -> list[Part]:
    """Groups of folders with photos in them; flat: photos may lie in the root itself, without folders for identities.

    Raises UserError for a path that does not exist or is not a folder, a folder that cannot be read, a tree without
    photos and, unless flat, a tree whose photos all lie in the root.
    """
    root = folder(path)
    digests: dict[str, str] = {}
    not_photos = 0
    for name, entries in walk(root):
        digests |= {name: _digest_of(repr(tuple(e)) for e in entries)} if any(not e.ignored for e in entries) else {}
        not_photos += sum(bool(e.ignored) for e in entries)
    if not digests:
        raise UserError(f"{root} holds no photo ({not_photos} other files): give a folder of identity/photo.jpg")
    if not flat and not any(digests):
        raise UserError(f"{root} holds photos but no identities: put each person's photos in a folder of their own")
    return group_folders(root, digests)


def group_folders(root: Path, digests: dict[str, str]) -> list[Part]:
    """Folders grouped into parts by a hash of their path.

    digests: a digest of each folder's entries, by the folder's path below root. The number of groups is a power of two,
    so that folders rarely move to another part when the tree grows.
    """
    count = 1
    while count < min(MAX_PARTS, len(digests) / FOLDERS_PER_PART):
        count *= 2
    groups: list[list[str]] = [[] for _ in range(count)]
    for name in sorted(digests):
        path_hash = blake2b(os.fsencode(name), digest_size=4).digest()
        groups[int.from_bytes(path_hash, "little") % count].append(name)
    return [Part(str(root), tuple(g), _digest_of(digests[name] for name in g)) for g in groups if g]


def index(part: Part) -> Iterator[Photo]:
    """The photos of a part, folder by folder; a file name that is not UTF-8 gives a photo with a failure."""
    root = Path(part.root)
    for name in part.folders:
        for entry in listing(root, name):
            if not entry.ignored:
                yield photo_of(entry, name or None)


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo; raises PhotoChanged when its file vanished or was changed since it was indexed."""
    return read_bytes(path, photo, whole_file=True)


def ignored(path: str | Path, expected: Callable[[str], bool] = lambda _: False) -> dict[str, int]:
    """The number of entries of a tree that are not photos, by reason; names where `expected` is true do not count."""
    counts: dict[str, int] = {}
    for _, entries in walk(folder(path)):
        for entry in entries:
            if entry.ignored and not expected(entry.name):
                counts[entry.ignored] = counts.get(entry.ignored, 0) + 1
    return counts


def folder(path: str | Path) -> Path:
    """The absolute path of a folder; UserError when it does not exist or is a file."""
    root = existing_path(path)
    if not root.is_dir():
        raise UserError(f"{path} is a file: give the folder that holds the photos")
    return root


def photo_of(entry: FolderEntry, identity: str | None) -> Photo:
    """An entry as a photo. A file name that is not UTF-8 is escaped, and the photo gets a failure."""
    key, claimed = escaped_name(entry.name), None if identity is None else escaped_name(identity)
    failure = entry.failure or ("unreadable: its name is no UTF-8: rename it" if key != entry.name else None)
    return Photo(key, claimed, key, 0, entry.size, entry.modified, None, failure or None)


def escaped_name(name: str) -> str:
    """A file name as valid Unicode: bytes that are not UTF-8 are written as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def walk(root: Path) -> Iterator[tuple[str, list[FolderEntry]]]:
    """The root and every folder below it, each with its entries, sorted by name; hidden folders are not entered.

    Links are followed, except a link to a folder that contains it. Raises UserError for a folder that cannot be read.
    """
    yield from _walk(root, "", (_inode(root),))


def _walk(root: Path, name: str, ancestors: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, list[FolderEntry]]]:
    entries, subfolders = [], []
    for entry in listing(root, name, folders=True):
        if entry.ignored != "folder":
            entries.append(entry)
        elif (inode := _inode(root / entry.name)) in ancestors:
            entries.append(entry._replace(ignored="link to a folder above"))
        else:
            subfolders.append((entry.name, inode))
    yield name, entries
    for child, inode in subfolders:
        yield from _walk(root, child, (*ancestors, inode))


def listing(root: Path, name: str, *, folders: bool = False) -> list[FolderEntry]:
    """The entries of one folder, sorted by name; with `folders` also its subfolders, which have `ignored` "folder"."""
    try:
        with os.scandir(root / name) as scan:
            entries = [_entry(f"{name}/{e.name}" if name else e.name, e) for e in scan]
    except OSError as error:
        path = escaped_name(str(root / name))
        raise UserError(f"the folder {path!r} cannot be read ({error.strerror}): repair it or leave it out") from None
    return sorted(e for e in entries if folders or e.ignored != "folder")


def _entry(name: str, item: os.DirEntry[str]) -> FolderEntry:
    if item.name.startswith("."):
        return FolderEntry(name, ignored="hidden")
    named_photo = PurePosixPath(item.name).suffix.lower() in SUFFIXES
    try:
        status = item.stat()
    except OSError:
        if named_photo:
            return FolderEntry(name, failure="unreadable: a link to nothing")
        return FolderEntry(name, ignored="link to nothing")
    if stat.S_ISDIR(status.st_mode):
        return FolderEntry(name, ignored="folder")
    if not stat.S_ISREG(status.st_mode):
        return FolderEntry(name, ignored="neither file nor folder")  # opening a pipe would wait for ever
    return FolderEntry(name, status.st_size, status.st_mtime_ns, "" if named_photo else "not a photo")


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _digest_of(words: Iterator[str]) -> str:
    hasher = blake2b(digest_size=16)
    for word in words:
        hasher.update(os.fsencode(word) + b"\0")
    return hasher.hexdigest()
