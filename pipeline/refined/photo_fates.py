"""What has become of each photo so far: who it goes to, or why it went. A fate that is sealed stays sealed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Indices = NDArray[np.signedinteger[Any]]


class Fates:
    """For each photo [n] the number of the person it goes to (-1: gone), why, and the finding's row (-1: none)."""

    def __init__(self, faces: pa.ChunkedArray, person: Indices) -> None:
        self.faces = faces
        self.person = np.array(person)
        self.reason = np.where(person < 0, "unnamed", "").astype(object)
        self.finding = np.full(len(person), -1, np.int64)

    def where(self, ids: Sequence[str]) -> Indices:
        """The rows of faces by id, -1 for a face that is not here."""
        coded = pa.array(ids, pa.string()).dictionary_encode()
        asked = pc.index_in(self.faces, value_set=coded.dictionary).fill_null(-1).to_numpy()  # the shorter is hashed
        row = np.full(len(coded.dictionary) + 1, -1, np.int64)
        there = np.flatnonzero(asked >= 0)
        row[asked[there]] = there
        return np.asarray(row[coded.indices.fill_null(-1).to_numpy()])

    def move(self, at: Indices, person: Indices, reason: str, finding: Indices) -> None:
        """The rows go to other persons, for this reason."""
        self.person[at], self.reason[at], self.finding[at] = person, reason, finding

    def drop(self, at: Indices, reason: str, finding: Indices | int = -1) -> None:
        """Those of the rows that still stay go, for this reason; one that lost a new place goes as misplaced."""
        finding = np.broadcast_to(finding, at.shape)
        first = np.sort(np.unique(at, return_index=True)[1])
        at, finding = at[first], finding[first]
        stays = (at >= 0) & (self.person[at] >= 0)
        at = at[stays]
        lost = self.reason[at] == "misplaced"
        self.finding[at] = np.where(lost, self.finding[at], finding[stays])
        self.person[at], self.reason[at] = -1, np.where(lost, "misplaced", reason)
