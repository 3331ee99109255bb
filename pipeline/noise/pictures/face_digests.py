"""Candidate pairs of duplicates in a whole data set and its test sets, found with 36 bytes of memory for each face.

Two faces are candidates if their photos have equal bytes or the perceptual hashes of the faces nearly agree. Only
candidates are compared further, so that all identities can be searched at once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import sketch_tones, tone_hashes
from pipeline.noise.pictures.same_picture import near_hashes, sketch_rows
from pipeline.tables.columns import Mask, non_null
from pipeline.tables.prefetch import READ_THREADS, prefetch
from pipeline.tables.table import Shard, read_shard

Indices = NDArray[np.signedinteger[Any]]
Result = TypeVar("Result")


class FaceShards(NamedTuple):
    """The shards of a data set, or of a test set, which has no shards of copies."""

    faces: Sequence[Shard]
    copies: Sequence[Shard]
    embeddings: tuple[Sequence[Shard], ...]  # for each embedder


class FaceDigests(NamedTuple):
    """One row for each face: what is needed to find candidates, and the place of the face in its table."""

    identity: Indices  # the number of the claimed identity; -1: unnamed, or a face of a test set
    sha: NDArray[np.uint64]  # the first 64 bits of the SHA-256 of the photo's bytes
    hash: NDArray[np.uint64]  # the perceptual hash of the sketch's tones
    norm: NDArray[np.float32]  # of the first embedder's vector; blurred faces have a smaller norm
    place: NDArray[np.int32]  # [n, 3]: number of the set (0: the data set), number of the shard, row in the shard


def read_digests(root: str, sets: Sequence[FaceShards], numbers: dict[str, int] | None = None) -> FaceDigests:
    """The digests of all faces but duplicates within an identity; sets: the data set, then the test sets.

    numbers: receives the number of each identity by name.
    """
    parts = []
    numbers = {} if numbers is None else numbers
    shards = [(s, n) for s, faces in enumerate(sets) for n in range(len(faces.faces))]
    read = prefetch(lambda shard: _read_shard(root, sets, *shard), shards, threads=READ_THREADS, per_thread=1)
    for identities, digests in read:
        number = digests.identity if identities is None else _numbers(identities, numbers).astype(np.int32)
        parts.append(digests._replace(identity=number))
    return FaceDigests(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _read_shard(root: str, sets: Sequence[FaceShards], s: int, n: int) -> tuple[pa.ChunkedArray | None, FaceDigests]:
    """The digests of shard n of set s, with identity -1 everywhere, and for the data set the column of identities."""
    shards = sets[s]
    if shards.copies:
        read = read_shard(root, shards.copies[n], ["identity", "sha", "copy_of", "hash", "norm"])
        usable = np.asarray(read["hash"].is_valid()) & ~np.asarray(read["copy_of"].is_valid())
        sha, hashes = (read[c].fill_null(0).to_numpy() for c in ("sha", "hash"))
        norm = read["norm"].to_numpy()
    else:
        read = read_shard(root, shards.faces[n], ["identity", "sha", "sketch"])
        sketches, usable = sketch_rows(read["sketch"])
        sha, hashes = first_bits(read["sha"])[0], tone_hashes(sketch_tones(sketches))
        norm = read_shard(root, shards.embeddings[0][n], ["norm"])["norm"].to_numpy().astype(np.float32)
    rows = np.flatnonzero(usable & ~np.isnan(norm))
    place = np.stack([np.full(len(rows), s), np.full(len(rows), n), rows], 1).astype(np.int32)
    unknown = np.full(len(rows), -1, np.int32)
    digests = FaceDigests(unknown, sha[rows], hashes[rows], norm[rows], place)
    return read["identity"].take(pa.array(rows)) if s == 0 else None, digests


def _numbers(column: pa.ChunkedArray, numbers: dict[str, int]) -> Indices:
    """The number of each row's identity, the same in every shard; -1 for null. Adds new identities to `numbers`."""
    coded = column.combine_chunks().dictionary_encode()
    each = [numbers.setdefault(name, len(numbers)) for name in coded.dictionary.to_pylist()]
    return np.asarray(np.array([*each, -1], np.int64)[coded.indices.fill_null(-1).to_numpy()])


def first_bits(column: pa.ChunkedArray) -> tuple[NDArray[np.uint64], Mask]:
    """The first 64 bits [n] of SHA-256 digests in hexadecimal, 0 for null, and which digests are not null [n]."""
    valid = np.asarray(column.is_valid())
    bits = np.zeros(len(valid), np.uint64)
    words = non_null(column).cast(pa.binary()).to_numpy(zero_copy_only=False).astype("S16")
    bits[valid] = np.frombuffer(bytes.fromhex(words.tobytes().decode()), ">u8")
    return bits, valid


def candidate_pairs(digests: FaceDigests) -> tuple[Indices, Indices]:
    """Rows i and j of the pairs of faces with equal bytes or similar hashes, each pair once."""
    i, j = near_hashes(digests.hash)
    _, first, inverse = np.unique(digests.sha, return_index=True, return_inverse=True)
    repeated = np.flatnonzero(first[inverse] != np.arange(len(inverse)))
    equal_bytes = np.stack([first[inverse[repeated]], repeated], 1)
    pairs = np.unique(np.concatenate([np.stack([i, j], 1), equal_bytes]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def read_places(
    place: Indices, read: Callable[[int, int, Indices], Result]
) -> Iterator[tuple[NDArray[np.int64], Result]]:
    """For each shard that holds some of these places [n, 3] the indices of those places, and what `read` gave.

    read: is given the number of a set, that of a shard, and rows of it; it runs on other threads, a few shards ahead.
    """
    order = np.lexsort(place.T[::-1])
    edges = np.flatnonzero((np.diff(place[order, :2], axis=0) != 0).any(1)) + 1
    groups = np.split(order, edges) if len(place) else []

    def read_group(indices: NDArray[np.int64]) -> Result:
        s, n = place[indices[0], :2].tolist()
        return read(s, n, place[indices, 2])

    yield from zip(groups, prefetch(read_group, groups, threads=READ_THREADS, per_thread=1), strict=True)
