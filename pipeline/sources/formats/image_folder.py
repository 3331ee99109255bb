"""Folders of photos: identity/photo.jpg, nested to any depth; the identity is the path of the photo's folder.

One idea: the tree is walked once, and every folder that holds photos gets a digest of its entries. Folders are grouped
into parts by a hash of their path, so a data set that grows by a few identities changes a few parts.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.box_lists import is_box_list
from pipeline.sources.files import FolderOptions, existing_path, read_bytes
from pipeline.sources.formats.folder_walk import (
    SYSTEM,
    FolderEntry,
    escaped_name,
    files_below,
    listing,
    walk,
)
from pipeline.sources.formats.folder_warnings import layout_warnings
from pipeline.sources.formats.left_out import fewer_suffixes, ignored_by_reason
from pipeline.sources.formats.lists_beside import disagreements, list_of_photos, lists_of
from pipeline.sources.formats.other_formats import other_format
from pipeline.sources.photo import Photo
from pipeline.sources.photo_kinds import HEIC_SUFFIXES, heic_is_read, suffix_of
from pipeline.sources.survey import Survey

FOLDERS_PER_PART = 256  # 100,000 identities make 512 parts
MAX_PARTS = 512
AS_USUAL = FolderOptions()
_OWN_FOLDERS = "put each person's photos in a folder of their own"


class Part(NamedTuple):
    """Some folders of a tree, relative to its root, and a digest of their entries."""

    root: str
    folders: tuple[str, ...]
    digest: str


class PartWithOptions(NamedTuple):
    """A part that is not read as usual. Parts that are have no options, so that tables keep their addresses."""

    part: Part
    options: FolderOptions


def parts(
    path: str | Path, *, flat: bool = False, options: FolderOptions = AS_USUAL
) -> list[Part] | list[PartWithOptions]:
    """Groups of folders with photos in them; flat: photos may lie in the root itself, without folders for identities.

    Raises UserError for a path that does not exist or is not a folder, a folder that cannot be read, a tree without
    photos and, unless flat, a tree whose photos all lie in the root.
    """
    groups = plain_parts(path, flat=flat, follow_links=options.follow_links)
    return groups if options == AS_USUAL else [PartWithOptions(part, options) for part in groups]


def plain_parts(path: str | Path, *, flat: bool = False, follow_links: bool = False) -> list[Part]:
    """The groups of folders as parts() returns them, without the options that they are read with."""
    root = folder(path)
    digests: dict[str, str] = {}
    not_photos = 0
    for name, entries, not_entered in walk(root, follow_links=follow_links):
        digests |= {name: _digest_of(repr(tuple(e)) for e in entries)} if any(not e.ignored for e in entries) else {}
        not_photos += sum(bool(e.ignored) for e in entries) + len(not_entered)
    if not digests:
        raise UserError(f"{root} holds no photo ({not_photos} other files): {other_format(root)}")
    if not flat and not any(digests):
        lists = lists_of(root.resolve())
        hint = f"give photo-list {lists[0]}, which names them" if lists else _OWN_FOLDERS
        raise UserError(f"{root} holds photos but no identities: {hint}")
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


def index(part: Part | PartWithOptions) -> Iterator[Photo]:
    """The photos of a part, folder by folder; a file name that is not UTF-8 gives a photo with a failure."""
    folders, options = with_options(part)
    root = Path(folders.root)
    for name in folders.folders:
        identity = identity_of(name, options.identity_level)
        for entry in listing(root, name, follow_links=options.follow_links).entries:
            if not entry.ignored:
                yield photo_of(entry, identity)


def with_options(part: Part | PartWithOptions) -> PartWithOptions:
    """A part, and how it is read."""
    return part if isinstance(part, PartWithOptions) else PartWithOptions(part, AS_USUAL)


def identity_of(folder_name: str, level: int = 0) -> str | None:
    """The identity of a folder's photos: its first `level` folders, 0: all of them; None for the root."""
    return "/".join(folder_name.split("/")[:level] if level else [folder_name]) or None


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo; raises PhotoChanged when its file vanished or was changed since it was indexed."""
    return read_bytes(path, photo, whole_file=True)


def survey(
    path: str | Path, *, options: FolderOptions = AS_USUAL, expected: Callable[[str], bool] = lambda _: False
) -> Survey:
    """The number of files of a tree that are not photos, by reason, and what is odd about its folders.

    Names where `expected` is true do not count. A folder that is not entered counts as one, a system folder as the
    files in it.
    """
    root = folder(path)
    ignored: Counter[str] = Counter()
    photos: Counter[str] = Counter()
    heic = 0
    for name, entries, not_entered in walk(root, follow_links=options.follow_links):
        found = [entry for entry in entries if not entry.ignored]
        photos[identity_of(name, options.identity_level) or ""] += len(found)
        heic += sum(suffix_of(entry.name) in HEIC_SUFFIXES for entry in found)
        ignored += ignored_by_reason(e for e in entries if not (expected(e.name) or is_box_list(Path(e.name).name)))
        for entry in not_entered:
            ignored[entry.ignored] += files_below(root / entry.name) if entry.ignored == SYSTEM else 1
    warnings = layout_warnings(photos)
    warnings += disagreements(root, lambda name: identity_of("" if name == "." else name, options.identity_level))
    if heic and not heic_is_read():
        warnings.append(f"{heic} photos are HEIC and cannot be read: pip install 'face-refinery[heic]'")
    return Survey(fewer_suffixes(ignored), warnings)


def folder(path: str | Path) -> Path:
    """The absolute path of a folder; UserError when it does not exist or is a file."""
    root = existing_path(path)
    if not root.is_dir():
        hint = f"give photo-list {path}" if list_of_photos(root) else "give the folder that holds the photos"
        raise UserError(f"{path} is a file{' that lists photos' if list_of_photos(root) else ''}: {hint}")
    return root


def photo_of(entry: FolderEntry, identity: str | None) -> Photo:
    """An entry as a photo. A file name that is not UTF-8 is escaped, and the photo gets a failure."""
    key, claimed = escaped_name(entry.name), None if identity is None else escaped_name(identity)
    failure = entry.failure or ("unreadable: its name is no UTF-8: rename it" if key != entry.name else None)
    return Photo(key, claimed, key, 0, entry.size, entry.modified, None, failure or None)


def _digest_of(words: Iterator[str]) -> str:
    hasher = blake2b(digest_size=16)
    for word in words:
        hasher.update(os.fsencode(word) + b"\0")
    return hasher.hexdigest()
