"""The fate of each photo while labels are resolved: the person it is kept under, or the reason why it is removed.

Steps change the fates one after another. A photo that one step removed is never brought back by a later one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Indices = NDArray[np.signedinteger[Any]]


class ActingFindings(NamedTuple):
    """The findings of one kind that change labels, in the order of their ids."""

    rows: Indices  # in the findings table
    subjects: list[str]
    objects: list[str | None]

    def among(self, chosen: NDArray[np.bool_]) -> "ActingFindings":
        """Those of them that are chosen; chosen [m]: of all rows of the findings table."""
        at = np.flatnonzero(chosen[self.rows]).tolist()
        return ActingFindings(self.rows[at], [self.subjects[i] for i in at], [self.objects[i] for i in at])


class PhotoFates:
    """For each photo [n]: the number of its person (-1: removed), the reason, and the row of the finding (-1: none).

    A photo is kept under its claimed identity where the reason is "".
    """

    def __init__(self, face_ids: pa.ChunkedArray, person: Indices) -> None:
        self.face_ids = face_ids
        self.person = np.array(person)
        self.reason = np.where(person < 0, "unnamed", "").astype(object)
        self.finding = np.full(len(person), -1, np.int64)

    def rows_of(self, face_ids: Sequence[str | None]) -> Indices:
        """The rows of faces by id, -1 for a face that is not among the photos."""
        encoded = pa.array(face_ids, pa.string()).dictionary_encode()
        # photos are looked up among the wanted ids, not the reverse: index_in hashes its value set, the shorter list
        wanted = pc.index_in(self.face_ids, value_set=encoded.dictionary).fill_null(-1).to_numpy()
        row_of_id = np.full(len(encoded.dictionary) + 1, -1, np.int64)
        rows = np.flatnonzero(wanted >= 0)
        row_of_id[wanted[rows]] = rows
        return np.asarray(row_of_id[encoded.indices.fill_null(-1).to_numpy()])

    def relabel(self, rows: Indices, person: Indices, reason: str, finding: Indices) -> None:
        """Set person, reason and finding of the photos of these rows."""
        self.person[rows], self.reason[rows], self.finding[rows] = person, reason, finding

    def erase(self, rows: Indices, finding: Indices) -> None:
        """Remove the photos of these rows as erased on request, unnamed ones as well. Rows of -1 are ignored."""
        rows, finding = rows[rows >= 0], finding[rows >= 0]
        self.person[rows], self.reason[rows], self.finding[rows] = -1, "erased", finding

    def remove(self, rows: Indices, reason: str, finding: Indices | int = -1) -> None:
        """Remove the photos of these rows that are still kept, for this reason.

        A photo that was relabelled as misplaced keeps "misplaced" as its reason, with that finding. Rows of -1 are
        ignored; of a row that comes twice the first finding counts.
        """
        finding = np.broadcast_to(finding, rows.shape)
        first = np.sort(np.unique(rows, return_index=True)[1])
        rows, finding = rows[first], finding[first]
        kept = (rows >= 0) & (self.person[rows] >= 0)
        rows, finding = rows[kept], finding[kept]
        misplaced = self.reason[rows] == "misplaced"
        self.finding[rows] = np.where(misplaced, self.finding[rows], finding)
        self.person[rows], self.reason[rows] = -1, np.where(misplaced, "misplaced", reason)
