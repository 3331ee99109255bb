"""Every photo of a refinement in memory, in a few numbers each: where its row is, its identity, cluster and score.

Photos are numbered as the rows of the photos table, shard after shard. All else about a photo (its key, its face) is
read from its shard when a page shows it, so a million photos take about 50 MB.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.refined.verdicts import PersonCluster, PersonClusters
from pipeline.refinement import Refinement
from pipeline.tables.table import Shard, Table, read_shards

Rows = NDArray[np.int64]
Codes = NDArray[np.int32]
PERSON_COLUMNS = ("person", "identity", "cluster", "size", "of", "medoid", "cohesion", "cohesion_second")
KEY_BYTES = 8  # of an id by which it is found; ids are digests, so two with equal first bytes are rare
NO_ROW = -1


@dataclass(frozen=True)
class PhotoIndex:
    """The n photos of a refinement, and the names that they are claimed or kept under.

    A name has a number (code): claimed identities first, in the order of their names, then further persons, which may
    be split off their identity.
    """

    ids: NDArray[np.bytes_]  # [n] face_ids
    claimed: Codes  # [n] code of the claimed identity, -1: none
    cluster: Codes  # [n] -1: none
    score: NDArray[np.float32]  # [n] fused score with the person of the claimed identity, nan: none
    starts: Rows  # [shards + 1] number of the first photo of each shard
    names: list[str]
    claimed_names: int  # how many names are claimed identities
    identity_of_name: Codes  # [names] code of the identity that a name's person was found in
    persons: pa.Table  # the persons table without vectors

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def code_of_name(self) -> dict[str, int]:
        """The code of each name."""
        return {name: code for code, name in enumerate(self.names)}

    @cached_property
    def folded_names(self) -> list[str]:
        """The names without differences of case, for searches."""
        return [name.casefold() for name in self.names]

    @cached_property
    def medoids(self) -> dict[str, str]:
        """The face_id of the medoid of each person, by name."""
        return dict(zip(self.persons["person"].to_pylist(), self.persons["medoid"].to_pylist(), strict=True))

    @cached_property
    def person_clusters(self) -> PersonClusters:
        """The clusters that are persons, without faces."""
        columns = (self.persons[c].to_pylist() for c in PersonCluster._fields)
        return PersonClusters({}, (PersonCluster(*row) for row in zip(*columns, strict=True)))

    @cached_property
    def person_code(self) -> Codes:
        """The code of the name of each row of `persons`."""
        return name_codes(self.persons["person"], self.names)

    @cached_property
    def person_identity(self) -> Codes:
        """The code of the identity of each row of `persons`."""
        return name_codes(self.persons["identity"], self.names[: self.claimed_names])

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], Rows]:
        keys = _keys(self.ids)
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def prepare(self) -> None:
        """Make at once what is made when it is needed first, so that the first decision does not wait for it."""
        _ = self.code_of_name, self.medoids, self.person_clusters, self.person_code, self.person_identity, self._sorted

    def face_id(self, row: int) -> str:
        """The face_id of a photo."""
        return str(self.ids[row].decode())

    def rows_of(self, face_ids: Iterable[str | None]) -> Rows:
        """The numbers of photos by face_id, -1 for an id that no photo has."""
        wanted = np.array([(i or "").encode("utf-8", "surrogateescape") for i in face_ids], dtype=np.bytes_)
        if not len(wanted) or not len(self):
            return np.full(len(wanted), NO_ROW, np.int64)
        keys, order = self._sorted
        wanted_keys = _keys(wanted)
        at = np.searchsorted(keys, wanted_keys)
        end = np.searchsorted(keys, wanted_keys, side="right")
        rows = order[np.minimum(at, len(keys) - 1)]
        rows[(at == end) | (self.ids[rows] != wanted)] = NO_ROW
        for i in np.flatnonzero((end - at > 1) & (rows == NO_ROW)).tolist():  # ids with equal first bytes
            among = order[at[i] : end[i]]
            equal = among[self.ids[among] == wanted[i]]
            rows[i] = equal[0] if len(equal) else NO_ROW
        return np.asarray(rows)

    def place(self, row: int) -> tuple[int, int]:
        """The number of a photo's shard, and the photo's row in it."""
        shard = int(np.searchsorted(self.starts, row, side="right")) - 1
        return shard, row - int(self.starts[shard])

    def flags(self, codes: Iterable[int]) -> NDArray[np.bool_]:
        """A mask [names + 1] of some codes; its last entry, for the code -1, is False."""
        flags = np.zeros(len(self.names) + 1, bool)
        flags[list(codes)] = True
        flags[-1] = False
        return flags


def load_photos(refinement: Refinement, calibration: Calibration) -> PhotoIndex:
    """The photos of a refinement."""
    labels = read_all(refinement.labels, ("face_id", "claimed"))
    columns = ("core", "second")[: len(calibration.far_curves)]
    clusters = read_all(refinement.clusters, ("cluster", *columns))
    persons = read_all(refinement.persons, PERSON_COLUMNS)
    claimed = labels["claimed"].combine_chunks().dictionary_encode()
    identities = sorted(claimed.dictionary.to_pylist())
    further = sorted(set(persons["person"].to_pylist()) - set(identities))
    identity_of_person = dict(zip(persons["person"].to_pylist(), persons["identity"].to_pylist(), strict=True))
    code = {name: i for i, name in enumerate(identities)}
    scores = [clusters[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in columns]
    return PhotoIndex(
        ids=_bytes(labels["face_id"]),
        claimed=name_codes(labels["claimed"], identities),
        cluster=clusters["cluster"].fill_null(-1).to_numpy().astype(np.int32),
        score=fuse(scores, calibration.weights).astype(np.float32),
        starts=np.cumsum([0, *(shard.rows for shard in refinement.labels.shards)]),
        names=[*identities, *further],
        claimed_names=len(identities),
        identity_of_name=np.array(
            [*range(len(identities)), *(code.get(identity_of_person[name], -1) for name in further)], np.int32
        ),
        persons=persons,
    )


def read_all(table: Table, columns: Sequence[str]) -> pa.Table:
    """Some columns of a whole table, its shards read side by side."""
    shards: Sequence[Shard] = table.shards
    tables = list(read_shards(table.root, shards, columns))
    return pa.concat_tables(tables) if tables else table.read(columns)


def name_codes(column: pa.ChunkedArray, names: Sequence[str]) -> Codes:
    """The place of each value [n] of a column among the names, -1 where it is null or none of them."""
    coded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = coded.dictionary_encode()
    places = pc.index_in(coded.dictionary, value_set=pa.array(names, pa.string())).fill_null(-1).to_numpy()
    places = np.append(places, -1).astype(np.int32)
    return np.asarray(places[coded.indices.fill_null(len(places) - 1).to_numpy(zero_copy_only=False)], np.int32)


def _bytes(column: pa.ChunkedArray) -> NDArray[np.bytes_]:
    """A column of ids as an array of bytes of one width."""
    ids = column.combine_chunks().cast(pa.binary())
    lengths = set(pc.binary_length(ids).unique().to_pylist())
    if len(lengths) == 1 and (width := lengths.pop()):
        return np.frombuffer(ids.buffers()[2], f"S{width}", len(ids), ids.offset * width)
    return np.asarray(ids.to_pylist(), np.bytes_)


def _keys(ids: NDArray[Any]) -> NDArray[np.uint64]:
    """The first bytes of each id as a number; ids that are shorter are filled with zeros."""
    wide = np.ascontiguousarray(ids.astype(f"S{max(KEY_BYTES, ids.dtype.itemsize)}"))
    raw = wide.view(np.uint8).reshape(len(ids), -1)[:, :KEY_BYTES]
    return np.ascontiguousarray(raw).view(">u8").ravel().astype(np.uint64)
