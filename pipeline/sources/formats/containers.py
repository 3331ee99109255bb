"""Files that hold many photos each: one that is given, or all of one kind below a folder.

As in folders of photos, a link that leads out of the folder is not followed, but counted. So are files in folders whose
name begins with an underscore, which readers of Parquet leave out: an export has its lists of changes in one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import existing_path, file_stamp
from pipeline.sources.formats.folder_walk import LINK_OUT
from pipeline.sources.formats.other_formats import other_format
from pipeline.sources.survey import Survey

SET_APART = "file in a folder that begins with _"


class Container(NamedTuple):
    """One file of a source, its size and modification time. file: relative to the root; "": the root is the file."""

    root: str
    file: str
    size: int
    modified: int

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return container_path(self.root, self.file)


def container_path(root: str | Path, file: str) -> Path:
    """Where a file of a source lies; file: relative to the root, "" for the root itself."""
    return Path(root, file) if file else Path(root)


def containers(path: str | Path, suffix: str, *, also: tuple[str, ...] = (), hint: str) -> list[Container]:
    """The file at a path, or all files with a suffix below a folder; also: further suffixes.

    Raises UserError with the hint for none.
    """
    root = existing_path(path)
    if root.is_file():
        return [Container(str(root), "", *file_stamp(root))]
    ends = (suffix, *also)
    files = [file for file in _inside(root) if file.name.endswith(ends) and not _is_set_apart(root, file)]
    if not files:
        raise UserError(f"{root} holds no {suffix} file: {other_format(root, otherwise=hint)}")
    return [Container(str(root), str(file.relative_to(root)), *file_stamp(file)) for file in files]


def survey_beside(path: str | Path, suffix: str, *, also: tuple[str, ...] = ()) -> Survey:
    """The number of files of a source that are no containers, and of links that lead out of it; see containers()."""
    root = existing_path(path)
    if root.is_file():
        return Survey({})
    inside = list(_inside(root))
    others = sum(not file.name.endswith((suffix, *also)) for file in inside)
    apart = sum(file.name.endswith((suffix, *also)) and _is_set_apart(root, file) for file in inside)
    counts = {
        f"no {suffix} file": others,
        SET_APART: apart,
        LINK_OUT: sum(f.is_file() for f in root.rglob("*")) - len(inside),
    }
    return Survey({reason: count for reason, count in counts.items() if count})


def _inside(root: Path) -> Iterator[Path]:
    """The files below a folder, sorted; links that lead out of it are left out."""
    real = root.resolve()
    for file in sorted(root.rglob("*")):
        if file.is_file() and (not file.is_symlink() or file.resolve().is_relative_to(real)):
            yield file


def _is_set_apart(root: Path, file: Path) -> bool:
    """Whether a folder between the root and the file has a name that begins with an underscore."""
    return any(name.startswith("_") for name in file.relative_to(root).parts[:-1])
