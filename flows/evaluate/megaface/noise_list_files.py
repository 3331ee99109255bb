"""The two lists of noisy photos of MegaFace, in the format of those that InsightFace published: one photo per line."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from flows.cli.out_file import check_out
from pipeline.errors import UserError
from pipeline.sources.photo_names import folded_path
from pipeline.sources.survey import examples
from pipeline.sources.text_lists import lines_of
from pipeline.whole_files import write_whole

log = logging.getLogger("refinery")

PROBE_LIST, DISTRACTOR_LIST = "facescrub_noises.txt", "megaface_noises.txt"
HEAD = "# found by refinery; one photo per line\n"


def compared_name(name: str) -> str:
    """A name of a list or of a photo in the form in which both are compared; published lists differ in spelling."""
    return folded_path(name)


def probe_name(key: str) -> str:
    """A probe's name in the list: that of its file."""
    return PurePosixPath(key).name


def distractor_name(key: str) -> str:
    """A distractor's name in the list: number/photographer/file."""
    return "/".join(PurePosixPath(key).parts[-3:])


def read_list(file: Path) -> set[str]:
    """The photos that a list names, by compared_name(). Raises UserError for a file that cannot be read."""
    try:
        return {compared_name(line) for _, line in lines_of(file) if not line.startswith("#")}
    except UserError as error:
        raise UserError(f"cannot read the published list {file} ({error}): give a folder with both lists") from None


def log_unmatched(list_name: str, unmatched: Collection[str]) -> None:
    """Log how many names of a list no photo of the data has, with examples."""
    if unmatched:
        log.warning("%s names %d photos that are not there: %s", list_name, len(unmatched), examples(sorted(unmatched)))


def check_lists(folder: Path, root: str) -> None:
    """Raise UserError where the lists would replace other files, such as published lists, which have the same names."""
    for name in (PROBE_LIST, DISTRACTOR_LIST):
        check_out(folder / name, re.compile(rb"\A" + re.escape(HEAD.encode())), kind="of this command", roots=[root])


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
