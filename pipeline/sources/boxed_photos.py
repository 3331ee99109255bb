"""Which photos have a box from a list: told before any photo is read, and refused where a box would be a guess."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources.box_lists import BoxFiles, BoxTable, read_boxes
from pipeline.tables.table import Table

log = logging.getLogger("refinery")


class ListedSource(NamedTuple):
    """A source, the lists of boxes that the user gives with it, and all of its lists: those, or the ones beside it."""

    name: str
    path: str
    given: Sequence[str]
    files: BoxFiles


def tell_boxes(index: Table, sources: Sequence[ListedSource]) -> None:
    """Log how many photos of an index have a box, and warn of a list beside the photos that gives several one box.

    Raises UserError where lists that were given name no photo, or several photos by one name.
    """
    if not any(source.files for source in sources):
        return
    photos, boxed = Counter[str](), Counter[str]()
    for rows in index.batches(["source", "box"]):
        photos.update(rows["source"].to_pylist())
        boxed.update(rows["source"].filter(rows["box"].is_valid()).to_pylist())
    for source in sources:
        if source.files:
            files = ", ".join(Path(file).name for file, *_ in source.files)
            log.info("%s: %d of %d photos have a box (%s)", source.name, boxed[source.name], photos[source.name], files)
            if boxed[source.name]:
                _check_one_folder(index, source)
    given = [source for source in sources if source.given]
    if given and not any(boxed[source.name] for source in given):
        raise UserError(
            f"--boxes {' '.join(given[0].given)}: no photo of {', '.join(s.path for s in given)} is in it: "
            "give the list of these photos, with their folders and file names"
        )


def _check_one_folder(index: Table, source: ListedSource) -> None:
    """Raise UserError where a line of a given list fits photos of several folders; of another list it is a warning."""
    pair = next(_of_one_line(index, source.name, read_boxes(source.files)), None)
    if pair is None:
        return
    one, other = (repr(key[:80]) for key in sorted(pair))
    files = " ".join(file for file, *_ in source.files)
    fault = f"{files} gives one box to photos of several folders, such as {one} and {other}"
    advice = "write their folders into the list, or give the folder that it is about as the source"
    if source.given:
        raise UserError(f"--boxes {fault}: {advice}")
    log.warning("%s: %s", fault, advice)


def _of_one_line(index: Table, source: str, boxes: BoxTable) -> Iterator[tuple[str, str]]:
    """Pairs of a source's photos in different folders whose box is the same row."""
    folder_of: NDArray[np.int64] = np.zeros(len(boxes.hashes), np.int64)  # the first photo's, as a hash; 0: no photo
    for key in _boxed_keys(index, source):
        row = boxes.row_of(key)
        if row is None:  # its box is the source's own
            continue
        folder = hash(key.rpartition("/")[0]) or 1
        if folder_of[row] not in (0, folder):
            yield next(k for k in _boxed_keys(index, source) if boxes.row_of(k) == row), key
        folder_of[row] = folder


def _boxed_keys(index: Table, source: str) -> Iterator[str]:
    """The keys of a source's photos that have a box."""
    for rows in index.batches(["source", "key", "box"]):
        of_source = pc.equal(rows["source"], source)
        yield from rows["key"].filter(pc.and_(of_source, rows["box"].is_valid())).to_pylist()
