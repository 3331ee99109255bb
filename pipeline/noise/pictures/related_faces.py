"""Candidate pairs of duplicates across two identities that other findings connect.

Persons of two identities may be one human being (merge), and a photo may show the person of another identity
(misplaced). If that is so, the faces of both come together, and one picture may be among them twice. There are few such
pairs of identities, so their faces are compared by hashes that differ in many more bits than those of candidates in the
whole data set (see face_digests.py), and mirrored as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.faces.sketch import mirrored_hashes
from pipeline.noise.pictures.face_digests import FaceDigests, FaceShards, Indices
from pipeline.tables.table import Shard, read_shard, read_shards

# bits of 64 in which hashes of one picture may differ: 98% of 1,800 edited duplicates of which more than the face was
# left differ in 20 at most, and of two photos of a person 15% do; of a face that was cut off, hashes differ in up to 29
MAX_BITS, MAX_BITS_OF_MERGED = 22, 28
NEAREST = 8  # faces of the other identity, with the most similar hashes, that a face is compared with
BLOCK_PAIRS = 1 << 20  # pairs of hashes compared at a time: 30 MB


class Connections(NamedTuple):
    """What other stages found: the shards of their findings, and the shards of the persons that these name."""

    findings: Sequence[Shard]
    persons: Sequence[Shard]


def related_pairs(
    root: str, data: FaceShards, digests: FaceDigests, numbers: Mapping[str, int], connections: Connections
) -> tuple[Indices, Indices]:
    """Rows i and j of the pairs of faces under two connected identities whose hashes are similar, each pair once.

    data: the shards of the data set, whose rows come first in `digests`; numbers: of each identity in it, by name.
    """
    merges, strays = _connected(root, digests, data, numbers, connections)
    order = np.argsort(digests.identity, kind="stable")
    of = digests.identity[order]
    named = np.unique(np.concatenate([merges.ravel(), strays[:, 1]])).astype(of.dtype)
    ranges = zip(*(np.searchsorted(of, named, side=side).tolist() for side in ("left", "right")), strict=True)
    members = {number: order[slice(*rows)] for number, rows in zip(named.tolist(), ranges, strict=True)}
    pairs: list[NDArray[Any]] = [np.empty((0, 2), np.int64)]
    for one, two in merges.tolist():
        pairs += _similar(digests.hash, members[one], members[two], MAX_BITS_OF_MERGED)
        pairs += _similar(digests.hash, members[two], members[one], MAX_BITS_OF_MERGED)
    strays = strays[np.argsort(strays[:, 1], kind="stable")]
    for group in np.split(strays, np.flatnonzero(np.diff(strays[:, 1])) + 1) if len(strays) else ():
        pairs += _similar(digests.hash, group[:, 0], members[int(group[0, 1])], MAX_BITS)
    distinct = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    return distinct[:, 0], distinct[:, 1]


def _connected(
    root: str, digests: FaceDigests, data: FaceShards, numbers: Mapping[str, int], connections: Connections
) -> tuple[Indices, Indices]:
    """The numbers of pairs of identities that may be merged [n, 2]; rows of strays and the identity of each [m, 2]."""
    persons = pa.concat_tables(read_shards(root, connections.persons, ["person", "identity"]))
    person_names = persons["person"].combine_chunks()
    findings = pa.concat_tables(read_shards(root, connections.findings, ["kind", "subject", "object"]))
    by_kind = {kind: findings.filter(pc.field("kind") == kind) for kind in ("merge", "misplaced")}

    def number(column: pa.ChunkedArray) -> Indices:
        identities = persons["identity"].take(pc.index_in(column, value_set=person_names))
        return np.array([numbers.get(name, -1) for name in identities.to_pylist()], np.int64)

    merges = np.sort(np.stack([number(by_kind["merge"][c]) for c in ("subject", "object")], axis=1), axis=1)
    merges = np.unique(merges[(merges[:, 0] >= 0) & (merges[:, 0] != merges[:, 1])], axis=0)
    strays = by_kind["misplaced"]
    rows = _rows_of(root, digests, data, strays["subject"])
    strayed = np.stack([rows, number(strays["object"])], axis=1)
    return merges, strayed[(strayed >= 0).all(1)]


def _rows_of(root: str, digests: FaceDigests, data: FaceShards, face_ids: pa.ChunkedArray) -> Indices:
    """The rows in `digests` of faces of the data set by face_id, -1 for one that is not there."""
    rows = np.full(len(face_ids), -1, np.int64)
    wanted = face_ids.combine_chunks()
    of_shard = digests.place[digests.place[:, 0] == 0]
    for n, shard in enumerate(data.faces if len(wanted) else ()):
        first, last = np.searchsorted(of_shard[:, 1], [n, n + 1])
        ids = read_shard(root, shard, ["face_id"])["face_id"].take(pa.array(of_shard[first:last, 2]))
        found = pc.index_in(wanted, value_set=ids.combine_chunks())
        here = np.asarray(found.is_valid())
        rows[here] = first + found.drop_null().to_numpy()
    return rows


def _similar(hashes: NDArray[np.uint64], i: Indices, j: Indices, max_bits: int) -> Iterator[NDArray[Any]]:
    """Pairs [n, 2] of rows i with the NEAREST rows j of the most similar hashes, mirrored or not."""
    step = max(1, BLOCK_PAIRS // max(1, len(j)))
    for start in range(0, len(i) if len(j) else 0, step):
        rows = i[start : start + step]
        sides = (hashes[rows], mirrored_hashes(hashes[rows]))
        bits = np.minimum(*(np.bitwise_count(side[:, None] ^ hashes[j][None]) for side in sides))
        nearest = np.argsort(bits, axis=1, kind="stable")[:, :NEAREST]
        alike = np.take_along_axis(bits, nearest, axis=1) <= max_bits
        pairs = np.stack([np.broadcast_to(rows[:, None], nearest.shape)[alike], j[nearest[alike]]], axis=1)
        yield pairs[pairs[:, 0] != pairs[:, 1]]
