"""The persons that a face or a person is most like, by the embedders of the refinement."""

from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.browse.snapshot import Snapshot
from pipeline.noise.scores.fusion import all_impostor_stats
from pipeline.noise.search.candidates import matches_of_pairs, without_impostor_mean
from pipeline.tables.columns import vectors
from pipeline.tables.table import read_shard

PROPOSED = 64  # persons with the highest cosines, whose exact scores are computed
SHOWN = 8
BLOCK = 16384  # persons compared at a time, 32 MB


@dataclass(frozen=True)
class NearPerson:
    """A person of the data and its fused score with the face or person in question."""

    name: str
    identity: str
    score: float
    medoid: str  # face_id


class PersonSearch:
    """The centres of all persons, in half precision: 100 MB for 100,000 persons and 512 dimensions."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot, self._lock = snapshot, Lock()
        self._centres: list[NDArray[np.float16]] | None = None

    def _loaded(self) -> list[NDArray[np.float16]]:
        with self._lock:
            if self._centres is None:
                table = self._snapshot.refinement.persons
                columns = [f"x{e}" for e in range(len(self._snapshot.calibration.far_curves))]
                parts: list[list[NDArray[np.float16]]] = [[] for _ in columns]
                for rows in table.batches(columns):
                    for part, column in zip(parts, columns, strict=True):
                        part.append(vectors(rows[column])[0].astype(np.float16))
                self._centres = [np.concatenate(part) for part in parts]
            return self._centres

    def prepare(self) -> None:
        """Read the centres now, so that the first search does not wait for it."""
        self._loaded()

    def of_photo(self, row: int) -> list[NearPerson]:
        """The persons nearest to the face of a photo; none where the photo has no face."""
        shard, at = self._snapshot.photos.place(row)
        x = []
        for table in self._snapshot.refinement.embeddings:
            values, valid = vectors(read_shard(table.root, table.shards[shard], ["x"])["x"].slice(at, 1))
            if not valid[0]:
                return []
            x.append(values.astype(np.float64))
        return self.of_vectors([v / np.maximum(np.linalg.norm(v), 1e-9) for v in x], but=-1)

    def of_person(self, name: str) -> list[NearPerson]:
        """The persons of other identities nearest to a person; none for an identity in which no person was found."""
        photos = self._snapshot.photos
        names = photos.persons["person"].to_pylist()
        if name not in names:
            return []
        at = names.index(name)
        x = [c[at : at + 1].astype(np.float64) for c in self._loaded()]
        x = [v / np.maximum(np.linalg.norm(v), 1e-9) for v in x]
        return self.of_vectors(x, but=int(photos.person_identity[at]))

    def of_vectors(self, x: list[NDArray[np.float64]], *, but: int) -> list[NearPerson]:
        """The persons nearest to a face.

        x: its unit vector [1, d] by each embedder; but: the code of an identity whose persons are left out, -1: none.
        """
        centres, calibration, photos = self._loaded(), self._snapshot.calibration, self._snapshot.photos
        proposed = np.unique(
            np.concatenate([_highest(q, c, m) for q, c, m in zip(x, centres, calibration.impostors, strict=True)])
        )
        proposed = proposed[photos.person_identity[proposed] != but] if but >= 0 else proposed
        gallery = [c[proposed].astype(np.float64) for c in centres]
        gallery = [c / np.maximum(np.linalg.norm(c, axis=1, keepdims=True), 1e-9) for c in gallery]
        queries, persons = all_impostor_stats(x, calibration), all_impostor_stats(gallery, calibration)
        at = np.arange(len(proposed))
        scores = matches_of_pairs(queries, np.zeros(len(at), np.int64), persons, at, calibration).fused
        best = np.argsort(-scores, kind="stable")[:SHOWN]
        rows = photos.persons.take(proposed[best])
        columns = (rows[c].to_pylist() for c in ("person", "identity", "medoid"))
        return [
            NearPerson(person, identity, round(float(score), 2), medoid)
            for person, identity, medoid, score in zip(*columns, scores[best].tolist(), strict=True)
        ]


def _highest(query: NDArray[np.float64], centres: NDArray[np.float16], impostors: Any) -> NDArray[np.int64]:
    """The rows of the centres with the highest cosines with a vector [1, d]; the impostors' mean is subtracted."""
    q = without_impostor_mean(query, impostors)[0]
    cosines = np.concatenate(
        [
            np.empty(0, np.float32),
            *(without_impostor_mean(centres[i : i + BLOCK], impostors) @ q for i in range(0, len(centres), BLOCK)),
        ]
    )
    return np.asarray(np.argpartition(-cosines, min(PROPOSED, len(cosines)) - 1)[:PROPOSED], np.int64)
