"""Checks the file that a command is to write (--out): no file that somebody needs is replaced.

A file that exists is replaced only if the same command wrote it, which a mark in it shows. What a refinement reads from
its root is never replaced.
"""

import mmap
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.errors import UserError
from pipeline.refinement import FILE, LEDGER, RESULT_FOLDERS
from pipeline.root_lock import FILE as LOCK

MANIFEST = re.compile(r"[0-9a-f]{20}\.json")  # of a table, in the table's folder
# folders of a root beside those of its tables
FOLDERS = (LEDGER, "asked", "review", "erasures", *RESULT_FOLDERS)


def check_out(
    out: Path, mark: re.Pattern[bytes] | Callable[[Path], bool], *, kind: str, roots: Sequence[str] = ()
) -> None:
    """Raise UserError where writing `out` would replace a file that the same command did not write, or one of a root.

    mark: found in every file that the command writes, searched from the first byte on; or a function that says of a
    file whether the command wrote it. kind: what the command writes, for the message. An empty file, and what is no
    regular file, may be written to.
    """
    for root in roots:
        if _is_part_of_root(out, root):
            raise UserError(f"{out} belongs to the refinement in {root}: give --out a file outside its folders")
    try:
        if not out.is_file() or not out.stat().st_size:
            return
        is_earlier_output = _holds(out, mark) if isinstance(mark, re.Pattern) else mark(out)
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror or error}): give another file") from None
    if not is_earlier_output:
        raise UserError(f"{out} is there already and is not {kind}: remove it, or give --out another name")


def _holds(file: Path, mark: re.Pattern[bytes]) -> bool:
    with open(file, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return mark.search(data) is not None


def _is_part_of_root(out: Path, root: str) -> bool:
    """Whether a file, there or not, is one that a refinement keeps in its root."""
    base, place = Path(os.path.realpath(root)), Path(os.path.realpath(out))
    if "://" in root or base not in place.parents:
        return False
    name, *below = place.relative_to(base).parts
    if not below:
        return name in (FILE, LOCK, *FOLDERS)
    is_table = any(MANIFEST.fullmatch(p.name) for p in _entries(base / name))
    return name in FOLDERS or is_table


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
