"""Which photos have a box from a list: told before any photo is read, and refused where a box would be a guess."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources.box_lists import BoxFiles, BoxTable, read_boxes
from pipeline.tables.table import Table

log = logging.getLogger("refinery")
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that few different boxes have the same number (mod 2^64)


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
    """Raise UserError where a path in a given list fits photos of several folders; of another list it is a warning."""
    repeated = _repeated_boxes(index, source.name)
    if not len(repeated):  # so no list is read where all boxes differ
        return
    pair = next(_of_one_path(index, source.name, read_boxes(source.files), repeated), None)
    if pair is None:
        return
    one, other = (repr(key[:80]) for key in sorted(pair))
    files = " ".join(file for file, *_ in source.files)
    fault = f"{files} gives one box to photos of several folders, such as {one} and {other}"
    advice = "write their folders into the list, or give the folder that it is about as the source"
    if source.given:
        raise UserError(f"--boxes {fault}: {advice}")
    log.warning("%s: %s", fault, advice)


def _repeated_boxes(index: Table, source: str) -> NDArray[np.uint64]:
    """The numbers of the boxes that several photos of a source have, sorted."""
    numbers = [np.empty(0, np.uint64), *(numbers for _, numbers in _boxed(index, source))]
    values, counts = np.unique(np.concatenate(numbers), return_counts=True)
    return values[counts > 1]


def _of_one_path(index: Table, source: str, boxes: BoxTable, repeated: NDArray[np.uint64]) -> Iterator[tuple[str, str]]:
    """Pairs of a source's photos in different folders whose box is that of the same listed path.

    repeated: numbers of the boxes that several photos have; only these are looked at.
    """
    folder_of: NDArray[np.int64] = np.zeros(len(boxes.boxes), np.int64)  # the first photo's, as a hash; 0: no photo
    for key in _keys(index, source, repeated):
        path = boxes.path_of(key)
        if path is None:  # its box is the source's own
            continue
        folder = hash(key.rpartition("/")[0]) or 1
        if folder_of[path] not in (0, folder):
            yield next(k for k in _keys(index, source, repeated) if boxes.path_of(k) == path), key
        folder_of[path] = folder


def _keys(index: Table, source: str, chosen: NDArray[np.uint64]) -> Iterator[str]:
    """The keys of a source's photos whose boxes have these numbers."""
    for keys, numbers in _boxed(index, source):
        yield from keys.filter(pa.array(np.isin(numbers, chosen))).to_pylist()


def _boxed(index: Table, source: str) -> Iterator[tuple[pa.ChunkedArray, NDArray[np.uint64]]]:
    """The keys of a source's photos that have a box, and a number for each box: equal ones have the same."""
    for rows in index.batches(["source", "key", "box"]):
        rows = rows.filter(pc.and_(pc.equal(rows["source"], source), rows["box"].is_valid()))
        if len(rows):
            sides = rows["box"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            halves = np.ascontiguousarray(sides, np.float32).view(np.uint64).reshape(-1, 2)
            yield rows["key"], halves[:, 0] * MIX + halves[:, 1]
