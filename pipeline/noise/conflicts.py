"""One picture under two names, or in a training set and a test set: a contradiction, or a leak.

The question is global, so it is asked of digests alone: equal bytes, or hashes of the aligned face that nearly agree.
Only the few faces these bring together are looked at.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import SIDE, sketch_hashes
from pipeline.noise.calibration import read_calibration
from pipeline.noise.copies import sketch_rows
from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.same_picture import near_hashes, picture_correlation
from pipeline.noise.score_norm import Calibration, Floats, fuse, level, pairwise, views
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.prefetch import READ_THREADS, prefetch
from pipeline.tables.table import Shard, read_shard

Indices = NDArray[np.signedinteger[Any]]
TOGETHER = 1 << 17  # pairs whose vectors are in memory at a time: 270 MB of two faces each


class Source(NamedTuple):
    """The shards of a data set, or of a test set: its faces, its copies (of a test set: none), and its embeddings."""

    faces: Sequence[Shard]
    copies: Sequence[Shard]
    embeddings: tuple[Sequence[Shard], ...]


class _Digests(NamedTuple):
    """What is known of every face, in 36 bytes: numbers that stand for its name and its bytes, and where it lies."""

    name: Indices  # of the claimed identity; -1 for none, and throughout a test set
    sha: NDArray[np.uint64]  # the first 64 bits
    hash: NDArray[np.uint64]
    norm: NDArray[np.float32]
    place: NDArray[np.int32]  # [n, 3]: source, shard, row


class _Looked(NamedTuple):
    """Pairs that are one picture, row by row: ids and places of both, correlation, each embedder's likeness."""

    one: NDArray[np.object_]
    two: NDArray[np.object_]
    places: tuple[Indices, Indices]  # rows of the digests
    r: Floats
    z: list[Floats]


def conflict_shard(
    part: tuple[Source, Sequence[Source]], *, root: str, calibration: Shard, alike: float, least: float
) -> pa.Table:
    """Pictures under two names (conflict) and pictures of a test set (overlap); part: the data and the test sets.

    alike: share of strangers that the two faces must beat; least: correlation of their sketches.
    """
    sources = [part[0], *part[1]]
    found = read_calibration(root, calibration)
    known = _digests(root, sources)
    i, j = _together(known)
    ours = known.place[:, 0] == 0
    across = (ours[i] & ~ours[j]) | (ours[i] & ours[j] & (known.name[i] != known.name[j]))
    return _as_findings(known, _looked_at(root, sources, known, i[across], j[across], found, alike, least))


def unnamed_copies(
    root: str, source: Source, found: Calibration, *, alike: float, least: float
) -> list[tuple[str, str]]:
    """Pairs of unnamed faces, by face_id, that are one picture: equal bytes, or one face recompressed or cropped.

    alike and least as for conflict_shard.
    """
    known = _digests(root, [source])
    i, j = _together(known)
    both = (known.name[i] < 0) & (known.name[j] < 0)
    seen = _looked_at(root, [source], known, i[both], j[both], found, alike, least)
    return [(str(a), str(b)) for a, b in zip(seen.one, seen.two, strict=True)]


def _looked_at(
    root: str,
    sources: Sequence[Source],
    known: _Digests,
    i: Indices,
    j: Indices,
    found: Calibration,
    alike: float,
    least: float,
) -> _Looked:
    """Those of the pairs that are one picture: of faces that are alike first, which few are, then by their pixels."""
    limit = level(found.tail, alike)
    z = [np.empty(0)] * len(found.views)
    likely = np.zeros(len(i), bool)
    for at in range(0, len(i), TOGETHER):
        part = slice(at, at + TOGETHER)
        rows, inverse = np.unique(np.concatenate([i[part], j[part]]), return_inverse=True)
        faces = views(_vectors(root, sources, known.place[rows]), found)
        a, b = np.split(inverse, 2)
        new = pairwise(faces, a, faces, b)
        likely[part] = fuse(new, found.weights) >= limit
        z = [np.concatenate([c, n[likely[part]]]) for c, n in zip(z, new, strict=True)]
    i, j = i[likely], j[likely]
    rows, inverse = np.unique(np.concatenate([i, j]), return_inverse=True)
    ids, sha, sketches = _pictures(root, sources, known.place[rows])
    a, b = np.split(inverse, 2)
    equal = (sha[a] == sha[b]).astype(bool).tolist()
    r = np.array(
        [1.0 if e else picture_correlation(sketches[m], sketches[n]) for m, n, e in zip(a, b, equal, strict=True)],
        np.float64,
    )
    keep = r >= least
    return _Looked(ids[a[keep]], ids[b[keep]], (i[keep], j[keep]), r[keep], [c[keep] for c in z])


def _digests(root: str, sources: Sequence[Source]) -> _Digests:
    """Digests of all faces that are no copies within their name; test sets after the data."""
    parts = []
    names: dict[str, int] = {}
    every = [(s, n) for s, source in enumerate(sources) for n in range(len(source.faces))]
    for identity, known in prefetch(
        lambda at: _digested(root, sources, *at), every, threads=READ_THREADS, per_thread=1
    ):
        name = known.name if identity is None else _numbered(identity, names).astype(np.int32)
        parts.append(known._replace(name=name))
    return _Digests(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _digested(root: str, sources: Sequence[Source], s: int, n: int) -> tuple[pa.ChunkedArray | None, _Digests]:
    """The digests of shard n of source s, without names, and of the data the identities that these are numbers of."""
    source = sources[s]
    face = read_shard(root, source.faces[n], ["identity", "sha", *([] if source.copies else ["sketch"])])
    norm = read_shard(root, source.embeddings[0][n], ["norm"])["norm"].to_numpy().astype(np.float32)
    hashes, there = _hashes(root, face, source.copies[n] if source.copies else None)
    at = np.flatnonzero(there & ~np.isnan(norm))
    rows = face.select(["identity", "sha"]).take(pa.array(at))
    place = np.stack([np.full(len(at), s), np.full(len(at), n), at], 1).astype(np.int32)
    known = _Digests(np.full(len(at), -1, np.int32), _first_bits(rows["sha"]), hashes[at], norm[at], place)
    return rows["identity"] if s == 0 else None, known


def _numbered(column: pa.ChunkedArray, names: dict[str, int]) -> Indices:
    """A number for each name, the same in every shard; -1 for null."""
    coded = column.combine_chunks().dictionary_encode()
    numbers = np.array([names.setdefault(name, len(names)) for name in coded.dictionary.to_pylist()] + [-1], np.int64)
    return np.asarray(numbers[coded.indices.fill_null(-1).to_numpy()])


def _first_bits(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """The first 64 bits of SHA-256 digests in hexadecimal."""
    words = column.combine_chunks().cast(pa.binary()).to_numpy(zero_copy_only=False).astype("S16")
    return np.frombuffer(bytes.fromhex(words.tobytes().decode()), ">u8").astype(np.uint64)


def _hashes(root: str, face: pa.Table, copies: Shard | None) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    if copies is None:
        sketches, there = sketch_rows(face["sketch"])
        return sketch_hashes(sketches), there
    rows = read_shard(root, copies, ["copy_of", "hash"])
    there = np.asarray(rows["hash"].is_valid()) & ~np.asarray(rows["copy_of"].is_valid())
    return rows["hash"].fill_null(0).to_numpy(), there


def _together(known: _Digests) -> tuple[Indices, Indices]:
    """Pairs whose bytes or hashes bring them together."""
    i, j = near_hashes(known.hash)
    _, first, inverse = np.unique(known.sha, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(len(inverse)))
    pairs = np.unique(np.concatenate([np.stack([i, j], 1), np.stack([first[inverse[again]], again], 1)]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _shards(place: Indices) -> Iterator[tuple[int, int, Indices]]:
    """Source and number of each shard that holds some of the places [n, 3], and which of them it holds."""
    order = np.lexsort(place.T[::-1])
    edges = np.flatnonzero((np.diff(place[order, :2], axis=0) != 0).any(1)) + 1
    for at in np.split(order, edges) if len(place) else ():
        s, n = place[at[0], :2].tolist()
        yield s, n, at


def _vectors(root: str, sources: Sequence[Source], place: Indices) -> list[NDArray[Any]]:
    """For each embedder the vectors [n, d] of the faces at some places [n, 3]."""
    x: list[NDArray[Any]] = [np.zeros((0, 1))] * len(sources[0].embeddings)
    for s, n, at in _shards(place):
        found, _ = read_vectors(root, [e[n] for e in sources[s].embeddings])
        for e, rows in enumerate(found):
            if not len(x[e]):
                x[e] = np.empty((len(place), rows.shape[1]), rows.dtype)
            x[e][at] = rows[place[at, 2]]
    return x


def _pictures(
    root: str, sources: Sequence[Source], place: Indices
) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.uint8]]:
    """Ids, digests of bytes and sketches of the faces at some places [n, 3]."""
    ids, sha = np.empty(len(place), object), np.empty(len(place), object)
    sketches = np.zeros((len(place), SIDE * SIDE), np.uint8)
    for s, n, at in _shards(place):
        rows = read_shard(root, sources[s].faces[n], ["face_id", "sha", "sketch"]).take(pa.array(place[at, 2]))
        ids[at], sha[at] = texts(rows["face_id"]), texts(rows["sha"])
        sketches[at], _ = sketch_rows(rows["sketch"])
    return ids, sha, sketches


def _as_findings(known: _Digests, seen: _Looked) -> pa.Table:
    """Conflicts with the poorer picture as the subject; overlaps with ours, and a likeness as any overlap has it."""
    words = np.array([_words(v) for v in seen.r], object)
    i, j = seen.places
    norm, test = known.norm, known.place[j, 0] > 0
    swap = ~test & ((norm[i] > norm[j]) | ((norm[i] == norm[j]) & (seen.one < seen.two).astype(bool)))
    one, two = np.where(swap, seen.two, seen.one), np.where(swap, seen.one, seen.two)
    conflict = findings_table("conflict", one[~test], two[~test], [seen.r[~test]], words[~test])
    return combine_findings(
        [conflict, findings_table("overlap", one[test], two[test], [c[test] for c in seen.z], words[test])]
    )


def _words(r: float) -> str:
    return "equal bytes" if r >= 1 else f"the faces correlate {r:.3f} when registered"
