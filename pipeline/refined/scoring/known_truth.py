"""The truth about a data set, photo by photo, against which a refinement is scored.

It comes from noise that was planted, or from people who checked every photo. It is a folder of three tab-separated
files, as `refinery sample world` writes them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources.text_lists import read_table

Codes = NDArray[np.int64]
WRONG_LABEL = ("outlier", "flip")  # kinds of photos whose label is wrong
KINDS = ("clean", *WRONG_LABEL, "duplicate", "junk")
COLUMNS = ("path", "claimed", "person", "kind", "of")


@dataclass(frozen=True)
class Truth:
    """The truth about n photos (lists, or columns of an arrow table) and about their claimed identities.

    Kinds of photos: clean (shows the person of its identity), outlier (shows somebody who has no identity in the data),
    flip (shows the person of another identity), duplicate (the same picture as the row `original`), junk (no face, or
    not a picture).
    """

    claimed: Sequence[str]  # [n] identity
    person: Sequence[str]  # [n] whom the photo shows; "" for nobody
    kind: Sequence[str]  # [n] one of KINDS
    original: Codes  # [n] for a duplicate the row of its original, else -1
    # by claimed identity the persons that it stands for
    persons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overlap: frozenset[str] | None = None  # claimed identities whose person is in a test set; None: not known
    keys: Sequence[str] = ()  # [n] the photos' keys; empty if the rows are in the order of the labels
    planted: Sequence[str] = ()  # [n] the noise in more detail, "" for none; empty if the truth does not say


def read_truth(folder: str | Path) -> Truth:
    """The truth in a folder with truth.tsv, and perhaps identities.tsv and overlap.tsv; all files have a header.

    truth.tsv has the columns path (the photo's key), claimed, person, kind, of (path of a duplicate's original), and
    perhaps planted (the noise in more detail, such as the edit of a duplicate);
    identities.tsv has claimed and persons (separated by blanks); overlap.tsv has claimed.
    Raises UserError when a file is missing, cannot be read, or has other content.
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
    identities = _table(folder / "identities.tsv", ("claimed", "persons"), optional=True)
    overlap = _table(folder / "overlap.tsv", ("claimed",), optional=True)
    claimed, person, kind = ([row[column] for row in rows] for column in ("claimed", "person", "kind"))
    return Truth(
        claimed,
        person,
        kind,
        np.array(original, np.int64),
        {row["claimed"]: tuple(row["persons"].split()) for row in identities},
        frozenset(row["claimed"] for row in overlap) if (folder / "overlap.tsv").exists() else None,
        keys,
        [row["planted"] or "" for row in rows] if rows and "planted" in rows[0] else (),
    )


def _table(file: Path, columns: Sequence[str], *, optional: bool = False) -> list[dict[str, Any]]:
    """The rows of a file of tab-separated columns under a header."""
    if optional and not file.exists():
        return []
    try:
        rows = read_table(file, columns, delimiters="\t")
    except UserError as error:
        raise UserError(
            f"{error}: a truth is a folder with truth.tsv, tab-separated columns {', '.join(COLUMNS)}"
        ) from None
    if bad := next((i for i, row in enumerate(rows, 2) if any(row.get(c) is None for c in columns)), None):
        raise UserError(f"{file} line {bad}: expected the tab-separated columns {', '.join(columns)}")
    return rows
