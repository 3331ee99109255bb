"""The two lists of noisy photos of MegaFace, in the format of those that InsightFace published: one photo per line."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.whole_files import write_whole

PROBE_LIST, DISTRACTOR_LIST = "facescrub_noises.txt", "megaface_noises.txt"
HEAD = "# found by refinery; one photo per line\n"


def probe_name(key: str) -> str:
    """A probe's name in the list: that of its file."""
    return PurePosixPath(key).name


def distractor_name(key: str) -> str:
    """A distractor's name in the list: number/photographer/file."""
    return "/".join(PurePosixPath(key).parts[-3:])


def read_list(file: Path) -> set[str]:
    """The photos that a list names. Raises UserError for a file that cannot be read."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the published list {file} ({error}): give a folder with both lists") from None
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def write_lists(folder: Path, lists: Mapping[str, Iterable[str]]) -> None:
    """Write lists, by file name, to a folder. Raises UserError where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, photos in lists.items():
            write_whole(folder / name, HEAD + "".join(f"{photo}\n" for photo in photos))
    except OSError as error:
        raise UserError(
            f"cannot write the lists to {folder} ({error.strerror or error}): give another folder"
        ) from None
