"""The walk through a tree of photos: every folder once, with its photos, its other files, and what is not entered.

A file is a photo by its suffix, or by its first bytes where its suffix says nothing (see photo_kinds.py). One idea: a
folder is known by its device and inode, so a tree with links is as large as what lies in it. Folders are
entered by their own path first and by links last. A link out of the tree is followed only on request.
"""

import os
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import FILE_ERRNOS
from pipeline.sources.photo_kinds import (
    DATA_SUFFIXES,
    HEAD_BYTES,
    SUFFIXES,
    is_picture,
    suffix_of,
)

# folders that file systems, network storage (Synology, QNAP), viewers and archives make beside photos, in small
# letters; those whose names begin with a dot are hidden anyway
SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",
        "@__thumb",
        "@tmp",
        "@recycle",
        "@recently-snapshot",
        "@sharebin",
        "@sharesnap",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "recycler",
        "recycled",
        "system volume information",
        "lost+found",
        "found.000",
        "__macosx",
        "__pycache__",
        "_gsdata_",
        "ipod photo cache",
        "thumbs.db",
    }
)
SYSTEM_ENDINGS = (".lrdata", ".photoslibrary", ".aplibrary", ".migratedphotolibrary")  # previews, and whole libraries
LINK_OUT, LINK_AGAIN, LINK_TO_NOTHING = "link out of the source", "link to a folder of the source", "link to nothing"
SYSTEM, OWN_OUTPUT = "in a system folder", "folder that this program wrote"
NOT_A_PHOTO, CLOSED = "not a photo", "without a suffix of photos, and it cannot be opened"
CONTACT_SHEET, SHEET_MARK, SHEET_BYTES = "found.png", b"refinery find", 512  # what `refinery find` writes by default


class FolderEntry(NamedTuple):  # its values enter the digest of a part
    """An entry of a folder. ignored: why it is not a photo, "" for a photo. failure: why a photo cannot be read."""

    name: str  # relative to the root, with /
    size: int = 0
    modified: int = 0
    ignored: str = ""
    failure: str = ""


class Subfolder(NamedTuple):
    """A folder in a folder. name: relative to the root. skipped: why it is not entered; "": it is."""

    name: str
    inode: tuple[int, int]  # device and inode
    is_link: bool
    skipped: str = ""


class Listing(NamedTuple):
    """The entries of one folder that are not folders, and its subfolders, both sorted by name."""

    entries: list[FolderEntry]
    subfolders: list[Subfolder]


class WalkedFolder(NamedTuple):
    """A folder of a tree: its entries, and the subfolders that are not entered, with the reason as `ignored`."""

    name: str
    entries: list[FolderEntry]
    not_entered: list[FolderEntry]


def walk(root: Path, *, follow_links: bool = False) -> Iterator[WalkedFolder]:
    """The root and every folder below it, each once; hidden folders, system folders and own outputs are not entered.

    follow_links: whether to enter links that lead out of the root. Links within the root are entered after all other
    folders, if their folder was not. Raises UserError for a folder that cannot be read.
    """
    seen, pending = {_inode(root)}, [""]
    links: deque[Subfolder] = deque()
    while pending or links:
        if not pending:
            link = links.popleft()
            parent = link.name.rpartition("/")[0]
            if link.inode in seen:
                yield WalkedFolder(parent, [], [FolderEntry(link.name, ignored=LINK_AGAIN)])
                continue
            seen.add(link.inode)
            pending.append(link.name)
        name = pending.pop()
        entries, subfolders = listing(root, name, follow_links=follow_links)
        if name and _is_own_output(entries, subfolders):
            yield WalkedFolder(name, [], [FolderEntry(name, ignored=OWN_OUTPUT)])
            continue
        not_entered, entered = [], []
        for subfolder in subfolders:
            if subfolder.skipped or (subfolder.inode in seen and not subfolder.is_link):
                not_entered.append(FolderEntry(subfolder.name, ignored=subfolder.skipped or LINK_AGAIN))
            elif subfolder.is_link:
                links.append(subfolder)
            else:
                seen.add(subfolder.inode)
                entered.append(subfolder.name)
        pending += reversed(entered)
        yield WalkedFolder(name, entries, not_entered)


def listing(root: Path, name: str, *, follow_links: bool = False) -> Listing:
    """The entries of one folder of a tree; name: relative to its root. Raises UserError when it cannot be read."""
    real_root = "" if follow_links else os.path.realpath(root)
    try:
        with os.scandir(f"{root}/{name}") as scan:
            found = [_entry(f"{name}/{e.name}" if name else e.name, e, real_root) for e in scan]
    except OSError as error:
        path = escaped_name(str(root / name))
        raise UserError(f"the folder {path!r} cannot be read ({error.strerror}): repair it or leave it out") from None
    return Listing(
        sorted(e for e in found if isinstance(e, FolderEntry)), sorted(e for e in found if isinstance(e, Subfolder))
    )


def escaped_name(name: str) -> str:
    """A file name as valid Unicode: bytes that are not UTF-8 are written as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def files_below(folder: Path) -> int:
    """The number of files in a folder and its subfolders; links are not followed, unreadable folders count 0."""
    count, pending = 0, [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as scan:
                for item in scan:
                    is_folder = item.is_dir(follow_symlinks=False)
                    pending += [item.path] if is_folder else []
                    count += not is_folder
        except OSError:
            continue
    return count


def _entry(name: str, item: os.DirEntry[str], real_root: str) -> FolderEntry | Subfolder:
    """real_root: links must stay below it; "": they may lead anywhere."""
    if item.name.startswith("."):
        return FolderEntry(name, ignored="hidden")
    named_photo = suffix_of(item.name) in SUFFIXES
    try:
        status = item.stat()
    except OSError:
        if named_photo:
            return FolderEntry(name, failure="unreadable: a link to nothing")
        return FolderEntry(name, ignored=LINK_TO_NOTHING)
    is_link = item.is_symlink()
    leads_out = is_link and bool(real_root) and not _is_below(os.path.realpath(item.path), real_root)
    if stat.S_ISDIR(status.st_mode):
        skipped = LINK_OUT if leads_out else SYSTEM if _is_system_folder(item.name) else ""
        return Subfolder(name, (status.st_dev, status.st_ino), is_link, skipped)
    if leads_out:
        return FolderEntry(name, ignored=LINK_OUT)
    if not stat.S_ISREG(status.st_mode):
        return FolderEntry(name, ignored="neither file nor folder")  # opening a pipe would wait for ever
    if item.name.lower() == CONTACT_SHEET and _has_sheet_mark(item.path):
        return FolderEntry(name, ignored="contact sheet")
    ignored = "" if named_photo else _not_a_picture(item, status.st_size)
    return FolderEntry(name, status.st_size, status.st_mtime_ns, ignored)


def _not_a_picture(item: os.DirEntry[str], size: int) -> str:
    """Why a file without a suffix of photos is none; "" for a picture. Raises OSError where its disk is away."""
    if suffix_of(item.name) in DATA_SUFFIXES or not size:
        return NOT_A_PHOTO
    try:
        with open(item.path, "rb", buffering=0) as stream:
            return "" if is_picture(stream.read(HEAD_BYTES)) else NOT_A_PHOTO
    except OSError as error:
        if error.errno not in FILE_ERRNOS:
            raise
        return CLOSED


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _is_system_folder(name: str) -> bool:
    return name.lower() in SYSTEM_FOLDERS or name.lower().endswith(SYSTEM_ENDINGS)


def _is_own_output(entries: list[FolderEntry], subfolders: list[Subfolder]) -> bool:
    """Whether a folder is a refinement's root, finished or not, an export, or the plots of a report."""
    files = {e.name.rpartition("/")[2] for e in entries}
    folders = {s.name.rpartition("/")[2] for s in subfolders}
    if "refinement.json" in files or {"photo_flow.png", "photo_flow.svg"} <= files:
        return True
    if ".lock" in files and "index" in folders and not any(e.ignored == "" for e in entries):  # a root in the making
        return True
    return {"identities.tsv", "README.md"} <= files and "_changes" in folders


def _has_sheet_mark(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return SHEET_MARK in stream.read(SHEET_BYTES)
    except OSError:
        return False


def _inode(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"the folder {path} cannot be read ({error.strerror}): repair it or leave it out") from None
    return status.st_dev, status.st_ino
