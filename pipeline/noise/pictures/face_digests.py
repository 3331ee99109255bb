"""Which faces of a whole data set, and of its test sets, may be one picture: asked of 36 bytes a face.

Equal bytes, or hashes of the aligned faces that nearly agree, make a pair of candidates. Only candidates are compared
further, so the question can be asked across all identities at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import sketch_hashes
from pipeline.noise.pictures.same_picture import near_hashes, sketch_rows
from pipeline.tables.prefetch import READ_THREADS, prefetch
from pipeline.tables.table import Shard, read_shard

Indices = NDArray[np.signedinteger[Any]]


class FaceShards(NamedTuple):
    """The shards of a data set or of a test set: faces, duplicates within identities (test sets: none), embeddings."""

    faces: Sequence[Shard]
    copies: Sequence[Shard]
    embeddings: tuple[Sequence[Shard], ...]


class FaceDigests(NamedTuple):
    """One row a face: numbers that stand for its identity and its bytes, the hash of its sketch, and where it lies."""

    identity: Indices  # a number for each claimed identity; -1 for none, and throughout test sets
    sha: NDArray[np.uint64]  # the first 64 bits of the SHA-256 of the photo's bytes
    hash: NDArray[np.uint64]
    norm: NDArray[np.float32]  # of the first embedding: it falls with blur
    place: NDArray[np.int32]  # [n, 3]: data set, shard, row


def read_digests(root: str, sets: Sequence[FaceShards]) -> FaceDigests:
    """The digests of all faces that are no duplicates within their identity; sets: the data set, then the test sets."""
    parts = []
    numbers: dict[str, int] = {}
    shards = [(s, n) for s, faces in enumerate(sets) for n in range(len(faces.faces))]
    read = prefetch(lambda at: _read_shard(root, sets, *at), shards, threads=READ_THREADS, per_thread=1)
    for identities, digests in read:
        number = digests.identity if identities is None else _numbers(identities, numbers).astype(np.int32)
        parts.append(digests._replace(identity=number))
    return FaceDigests(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _read_shard(root: str, sets: Sequence[FaceShards], s: int, n: int) -> tuple[pa.ChunkedArray | None, FaceDigests]:
    """The digests of shard n of set s, without numbers of identities, and in the data set the identities' names."""
    shards = sets[s]
    face = read_shard(root, shards.faces[n], ["identity", "sha", *([] if shards.copies else ["sketch"])])
    norm = read_shard(root, shards.embeddings[0][n], ["norm"])["norm"].to_numpy().astype(np.float32)
    hashes, hashed = _hashes(root, face, shards.copies[n] if shards.copies else None)
    at = np.flatnonzero(hashed & ~np.isnan(norm))
    rows = face.select(["identity", "sha"]).take(pa.array(at))
    place = np.stack([np.full(len(at), s), np.full(len(at), n), at], 1).astype(np.int32)
    digests = FaceDigests(np.full(len(at), -1, np.int32), _first_bits(rows["sha"]), hashes[at], norm[at], place)
    return rows["identity"] if s == 0 else None, digests


def _numbers(column: pa.ChunkedArray, numbers: dict[str, int]) -> Indices:
    """A number for each identity, the same in every shard; -1 for null. Adds new identities to `numbers`."""
    coded = column.combine_chunks().dictionary_encode()
    each = [numbers.setdefault(name, len(numbers)) for name in coded.dictionary.to_pylist()]
    return np.asarray(np.array([*each, -1], np.int64)[coded.indices.fill_null(-1).to_numpy()])


def _first_bits(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """The first 64 bits of SHA-256 digests in hexadecimal."""
    words = column.combine_chunks().cast(pa.binary()).to_numpy(zero_copy_only=False).astype("S16")
    return np.frombuffer(bytes.fromhex(words.tobytes().decode()), ">u8").astype(np.uint64)


def _hashes(root: str, face: pa.Table, copies: Shard | None) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The hash of each face [n], and which faces have one and are no duplicates within their identity [n]."""
    if copies is None:
        sketches, drawn = sketch_rows(face["sketch"])
        return sketch_hashes(sketches), drawn
    rows = read_shard(root, copies, ["copy_of", "hash"])
    original = np.asarray(rows["hash"].is_valid()) & ~np.asarray(rows["copy_of"].is_valid())
    return rows["hash"].fill_null(0).to_numpy(), original


def candidate_pairs(digests: FaceDigests) -> tuple[Indices, Indices]:
    """Rows (i, j) of the pairs with equal bytes or near hashes, each pair once."""
    i, j = near_hashes(digests.hash)
    _, first, inverse = np.unique(digests.sha, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(len(inverse)))
    pairs = np.unique(np.concatenate([np.stack([i, j], 1), np.stack([first[inverse[again]], again], 1)]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def shards_of(place: Indices) -> Iterator[tuple[int, int, Indices]]:
    """Set and number of each shard that holds some of the places [n, 3], and which of the places it holds."""
    order = np.lexsort(place.T[::-1])
    edges = np.flatnonzero((np.diff(place[order, :2], axis=0) != 0).any(1)) + 1
    for at in np.split(order, edges) if len(place) else ():
        s, n = place[at[0], :2].tolist()
        yield s, n, at
