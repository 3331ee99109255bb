"""Edited duplicates: photos of a data set come again, as web sites change them (see picture_edits.py).

The input is a folder of photos with its truth (photos/, truth.tsv; see pipeline/README.md). Its photos stay; a number
of clean ones get a duplicate by each edit, under the same identity or under another identity of the same person.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.errors import UserError
from pipeline.sample.cases.labelled_photos import link_or_copy
from pipeline.sample.cases.picture_edits import EDITS, Box, Original, Pixels
from pipeline.sample.cases.truth_tables import IDENTITIES, OVERLAP, TRUTH, Row, read_rows, write_mappings, write_rows
from pipeline.tables import storage

EDITS_FILE = "edits.tsv"
EDIT_COLUMNS = ("path", "edit", "of", "other_identity")
TRUTH_FILES = (IDENTITIES, OVERLAP)  # which stay as they are
FindFace = Callable[[Pixels], Box | None]  # the box of a picture's main face


class PlantedDuplicate(NamedTuple):
    """A duplicate that was planted: its path and that of its original, both below photos/."""

    path: str
    edit: str
    of: str
    other_identity: bool  # whether it lies under another identity of the person


def middle(pixels: Pixels) -> Box:
    """The box of a face in the middle of a picture, of two fifths of its sides, as LFW's photos have it."""
    height, width = pixels.shape[:2]
    return 0.3 * width, 0.25 * height, 0.7 * width, 0.75 * height


def plant_edited_duplicates(
    folder: Path, out: Path, *, each: int = 36, seed: int = 0, find_face: FindFace = middle, edits: Sequence[str] = ()
) -> list[PlantedDuplicate]:
    """Copy a data set with its truth to `out`, with `each` duplicates by every edit; returns them.

    Originals are clean photos that come once; each is used once as long as there are enough. Where a person has several
    identities, a duplicate lies under the next one of them. Photos are hard links to those of `folder`, or copies on
    another disk. find_face: finds the face in an original; None: the original is left out. edits: names of EDITS, by
    default all. out/edits.tsv lists the duplicates. Raises UserError where `out` holds something or there is no truth.
    """
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty: give a folder that is empty or not there yet")
    rows = read_rows(folder)
    originals = _originals(rows, seed)
    if not originals:
        raise UserError(f"{folder} has no clean photo that comes only once: nothing to make duplicates of")
    for row in rows:
        link_or_copy(folder / "photos" / row["path"], out / "photos" / row["path"])
    identities = _identities_of_persons(folder)
    planted: list[PlantedDuplicate] = []
    turn = 0
    for name in edits or EDITS:
        for _ in range(each):
            row, turn = originals[turn % len(originals)], turn + 1
            duplicate = _plant(folder, out, row, name, identities, np.random.default_rng([73, seed, turn]), find_face)
            if duplicate:
                planted.append(duplicate)
    person = {row["path"]: row["person"] for row in rows}
    rows += [
        {"path": p.path, "claimed": p.path.split("/")[0], "person": person[p.of], "kind": "duplicate", "of": p.of}
        for p in planted
    ]
    write_mappings(out, TRUTH, tuple(rows[0]), rows)
    write_rows(out, EDITS_FILE, EDIT_COLUMNS, [(p.path, p.edit, p.of, str(int(p.other_identity))) for p in planted])
    for file in TRUTH_FILES:
        if (folder / file).exists():
            storage.put(str(out), file, (folder / file).read_bytes())
    return planted


def read_planted(out: Path) -> list[PlantedDuplicate]:
    """The duplicates that were planted in a folder."""
    rows = read_rows(out, EDITS_FILE, EDIT_COLUMNS)
    return [PlantedDuplicate(r["path"], r["edit"], r["of"], r["other_identity"] == "1") for r in rows]


def _originals(rows: Sequence[Row], seed: int) -> list[Row]:
    """The clean photos whose picture comes once, in a drawn order."""
    repeated = {row["of"] for row in rows if row["kind"] == "duplicate"} | {
        row["of"] for row in rows if row["kind"] != "clean" and row["of"]
    }
    clean = [r for r in rows if r["kind"] == "clean" and not {r["path"], r["of"]} & repeated]
    return [clean[k] for k in np.random.default_rng([72, seed]).permutation(len(clean))]


def _identities_of_persons(folder: Path) -> Mapping[str, list[str]]:
    """The identities that stand for each person alone, by person; {} without identities.tsv."""
    identities = defaultdict[str, list[str]](list)
    for row in read_rows(folder, IDENTITIES, ("claimed", "persons"), optional=True):
        if " " not in row["persons"].strip():
            identities[row["persons"].strip()].append(row["claimed"])
    return identities


def _plant(
    folder: Path,
    out: Path,
    row: Row,
    edit: str,
    identities: Mapping[str, list[str]],
    rng: np.random.Generator,
    find_face: FindFace,
) -> PlantedDuplicate | None:
    data = (folder / "photos" / row["path"]).read_bytes()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    face = None if pixels is None else find_face(np.asarray(pixels, np.uint8))
    if face is None:
        return None
    names = identities.get(row["person"], [])
    place = names.index(row["claimed"]) if row["claimed"] in names else -1
    claimed = names[(place + 1) % len(names)] if place >= 0 else row["claimed"]
    path = f"{claimed}/{row['path'].replace('/', '-').rsplit('.', 1)[0]}-{edit}.jpg"
    storage.put(str(out / "photos"), path, EDITS[edit](Original(data, np.asarray(pixels, np.uint8), face), rng))
    return PlantedDuplicate(path, edit, row["path"], claimed != row["claimed"])
