"""What is known to be true of a data set, photo by photo: planted noise, or what people checked.

A truth is a folder of three tab-separated files, as the drawn world writes them. A refinement is scored against it.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

Codes = NDArray[np.int64]
WRONG_LABEL = ("outlier", "flip")  # kinds of photos whose label is wrong
KINDS = ("clean", *WRONG_LABEL, "duplicate", "junk")
COLUMNS = ("path", "claimed", "person", "kind", "of")


@dataclass(frozen=True)
class Truth:
    """What is true of each photo, row by row, and of names. n: photos.

    kind: clean (the person of this name), outlier (somebody who is nobody's name), flip (the person of another name),
    duplicate (the picture of row `original` again), junk (no face or no picture).
    """

    claimed: Sequence[str]  # [n]
    person: Sequence[str]  # [n]; "" where the photo shows nobody
    kind: Sequence[str]  # [n]
    original: Codes  # [n]: of a duplicate the row of its original, else -1
    persons: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # of each claimed name those that it stands for
    overlap: frozenset[str] = frozenset()  # claimed names whose person is in a test set
    keys: Sequence[str] = ()  # [n]; empty where rows are in the order of the labels


def read_truth(folder: str | Path) -> Truth:
    """The truth of a folder: truth.tsv, and identities.tsv and overlap.tsv where they are there.

    truth.tsv has a header and the columns path (the photo's key), claimed, person, kind, of (a duplicate's original);
    identities.tsv claimed and persons (separated by blanks); overlap.tsv claimed. Raises UserError for what is not so.
    """
    folder = Path(folder)
    rows = _table(folder / "truth.tsv", COLUMNS)
    keys = [row["path"] for row in rows]
    place = {key: i for i, key in enumerate(keys)}
    unknown = next((r for r in rows if r["kind"] not in KINDS), None)
    if unknown is not None:
        raise UserError(
            f"{folder / 'truth.tsv'} calls {unknown['path']} {unknown['kind']!r}: a kind is one of {', '.join(KINDS)}"
        )
    if len(place) != len(keys):
        twice = next(key for key, n in Counter(keys).items() if n > 1)
        raise UserError(f"{folder / 'truth.tsv'} lists {twice} twice: give one line for each photo")
    original = [place.get(r["of"], -1) if r["kind"] == "duplicate" else -1 for r in rows]
    names = _table(folder / "identities.tsv", ("claimed", "persons"), optional=True)
    overlap = _table(folder / "overlap.tsv", ("claimed",), optional=True)
    claimed, person, kind = ([row[column] for row in rows] for column in ("claimed", "person", "kind"))
    return Truth(
        claimed,
        person,
        kind,
        np.array(original, np.int64),
        {row["claimed"]: tuple(row["persons"].split()) for row in names},
        frozenset(row["claimed"] for row in overlap),
        keys,
    )


def _table(file: Path, columns: Sequence[str], *, optional: bool = False) -> list[dict[str, Any]]:
    """The rows of a file of tab-separated columns under a header."""
    if optional and not file.exists():
        return []
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"cannot read {file} ({error}): a truth is a folder with truth.tsv, columns {', '.join(COLUMNS)}"
        ) from None
    if bad := next((i for i, row in enumerate(rows, 2) if any(row.get(c) is None for c in columns)), None):
        raise UserError(f"{file} line {bad}: expected the tab-separated columns {', '.join(columns)}")
    return rows
