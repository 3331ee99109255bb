"""All persons of a data set in memory: the gallery in which faces and other persons are searched."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.noise.scores.score_norm import FaceVectors, impostor_stats, take_rows
from pipeline.noise.search.candidates import (
    Gallery,
    Matches,
    Rows,
    matches_of_pairs,
    nearest_pairs,
    without_impostor_mean,
)
from pipeline.noise.search.neighbours import Index, build_index
from pipeline.tables.columns import Mask, texts, vectors
from pipeline.tables.table import Shard, read_shard

PERSON_FAR = 1e-4  # for a cluster's cohesion; below it, people are asked whether the cluster is one human being
NEIGHBOURS = 10  # nearest persons that a person is compared with: hardly anybody has more identities


class PersonGallery(NamedTuple):
    """The persons of a data set; row i of each attribute is about person i, see persons_schema()."""

    person: NDArray[np.object_]
    identity: NDArray[np.object_]
    cluster: NDArray[np.int64]
    size: NDArray[np.int64]
    shard: NDArray[np.int64]  # the number of the person's shard in the persons table
    centres: list[FaceVectors]  # for each embedder
    indexes: list[Index]  # for each embedder, of the centres: see search/candidates.py
    lengths: list[NDArray[np.float32]]  # for each embedder the mean cosine of the faces to the centre

    @property
    def gallery(self) -> Gallery:
        """The centres and their indexes, to be searched."""
        return Gallery(self.centres, self.indexes)

    def means(self, rows: Rows) -> list[NDArray[np.float32]]:
        """For each embedder the means [n, d] of the faces of n persons; unlike centres, not unit vectors."""
        return [c.x[rows] * n[rows, None] for c, n in zip(self.centres, self.lengths, strict=True)]

    def first_of_identities(self) -> "PersonGallery":
        """The gallery of the first person of each identity; a further person may be one that no identity names."""
        first = self.cluster == 0
        person, identity, cluster, size, shard = (column[first] for column in self[:5])
        centres = [take_rows(c, first) for c in self.centres]
        indexes, lengths = [a[first] for a in self.indexes], [a[first] for a in self.lengths]
        return PersonGallery(person, identity, cluster, size, shard, centres, indexes, lengths)


def read_persons(root: str, shards: Sequence[Shard], calibration: Shard) -> PersonGallery:
    """All persons that comparable() accepts. shards: all shards of persons; calibration: the shard of that table.

    The last gallery that was read is cached in the process, because every shard of a stage needs it.
    """
    return _read_persons(root, tuple(shards), calibration)


@lru_cache(maxsize=1)
def _read_persons(root: str, shards: tuple[Shard, ...], calibration: Shard) -> PersonGallery:
    score_calibration = read_calibration(root, calibration)
    tables = [read_comparable(root, shard, score_calibration) for shard in shards]
    rows, shard = pa.concat_tables(tables), np.repeat(np.arange(len(shards)), [len(t) for t in tables])
    columns = [c for c in rows.schema.names if c.startswith("x")]
    impostors = score_calibration.impostors
    centres = [impostor_stats(vectors(rows[c])[0], m) for c, m in zip(columns, impostors, strict=True)]
    lengths = [rows[f"length{e}"].to_numpy() for e in range(len(centres))]
    cluster = rows["cluster"].to_numpy().astype(np.int64)
    indexes = [build_index(without_impostor_mean(c.x, m)) for c, m in zip(centres, impostors, strict=True)]
    person, identity = texts(rows["person"]), texts(rows["identity"])
    return PersonGallery(person, identity, cluster, rows["size"].to_numpy(), shard, centres, indexes, lengths)


def read_comparable(
    root: str, shard: Shard, calibration: Calibration, columns: Sequence[str] | None = None
) -> pa.Table:
    """The rows of one shard of persons that comparable() accepts. columns: must include those that it reads."""
    rows = read_shard(root, shard, columns)
    return rows.filter(pa.array(comparable(rows, calibration)))


def comparable(rows: pa.Table, calibration: Calibration) -> Mask:
    """Which persons [n] can be compared with faces and other persons; rows: of the persons table.

    Those whose cohesion reaches the threshold for PERSON_FAR, and those of identities with a single face. Any other
    cluster may hold several people, whose common centre is like nobody.
    """
    size, of = rows["size"].to_numpy(), rows["of"].to_numpy()
    columns = ("cohesion", "cohesion_second")[: len(calibration.impostors)]
    z = [rows[c].to_numpy(zero_copy_only=False) for c in columns]
    with np.errstate(invalid="ignore"):
        coherent = fuse(z, calibration.weights) >= threshold_at_far(calibration.fused_curve, PERSON_FAR)
    return np.asarray(((size > 1) & coherent) | (of == 1))


def similar_persons(
    persons: PersonGallery, rows: Rows, calibration: Calibration, *, memory_bytes: int | None = None
) -> Matches:
    """Pairs i < j of persons that may be one human being, with their scores; one of each pair is among `rows`."""
    queries = [index.x[rows] for index in persons.indexes]
    i, j = nearest_pairs(queries, persons.indexes, k=NEIGHBOURS + 1, memory_bytes=memory_bytes)
    i = rows[i]
    pairs = np.unique(np.sort(np.stack([i, j], 1)[i != j], axis=1), axis=0).reshape(-1, 2)
    return matches_of_pairs(persons.centres, pairs[:, 0], persons.centres, pairs[:, 1], calibration)
