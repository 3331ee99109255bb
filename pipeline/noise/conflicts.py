"""One picture under two names, or in a training set and a test set: a contradiction, or a leak.

The question is global, so it is asked of digests alone: equal bytes, or hashes of the aligned face that nearly agree.
Only the few faces these bring together are looked at.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.columns import texts, views_of
from pipeline.noise.duplicates import near_hashes, same_picture, sketch_hash
from pipeline.noise.findings import findings, gathered
from pipeline.noise.likeness import Calibration, Floats, fuse, level, pairwise
from pipeline.noise.pictures import sketch_rows
from pipeline.table import Shard, read_shard

Indices = NDArray[np.signedinteger[Any]]


class Source(NamedTuple):
    """The shards of a data set, or of a test set: its faces, its copies (of a test set: none), and its embeddings."""

    faces: Sequence[Shard]
    copies: Sequence[Shard]
    embeddings: tuple[Sequence[Shard], ...]


class _Digests(NamedTuple):
    face: NDArray[np.object_]
    identity: NDArray[np.object_]  # None throughout a test set
    sha: NDArray[np.object_]
    hash: NDArray[np.uint64]
    norm: NDArray[np.float32]
    place: Indices  # [n, 3]: source, shard, row


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
    across = (ours[i] & ~ours[j]) | (ours[i] & ours[j] & (known.identity[i] != known.identity[j]))
    return _as_findings(known, *_looked_at(root, sources, known, i[across], j[across], found, alike, least))


def unnamed_copies(
    root: str, source: Source, found: Calibration, *, alike: float, least: float
) -> list[tuple[str, str]]:
    """Pairs of unnamed faces, by face_id, that are one picture: equal bytes, or one face recompressed or cropped.

    alike and least as for conflict_shard.
    """
    known = _digests(root, [source])
    nobodys = np.array([name is None for name in known.identity], bool)
    i, j = _together(known)
    both = nobodys[i] & nobodys[j]
    i, j, *_ = _looked_at(root, [source], known, i[both], j[both], found, alike, least)
    return [(str(a), str(b)) for a, b in zip(known.face[i], known.face[j], strict=True)]


def _looked_at(
    root: str,
    sources: Sequence[Source],
    known: _Digests,
    i: Indices,
    j: Indices,
    found: Calibration,
    alike: float,
    least: float,
) -> tuple[Indices, Indices, Floats, list[Floats]]:
    """Those of the pairs that are one picture, the correlation of their sketches and each embedder's likeness."""
    rows, inverse = np.unique(np.concatenate([i, j]), return_inverse=True)
    i, j = inverse[: len(i)], inverse[len(i) :]
    x, sketches = _fetch(root, sources, known.place[rows])
    z = pairwise(x, i, x, j, found)
    likely = fuse(z, found.weights) >= level(found.tail, alike) if len(i) else np.empty(0, bool)
    i, j, z = i[likely], j[likely], [c[likely] for c in z]
    equal = known.sha[rows][i] == known.sha[rows][j]
    r = np.array([1.0 if e else same_picture(sketches[a], sketches[b]) for a, b, e in zip(i, j, equal, strict=True)])
    keep = r >= least
    return rows[i[keep]], rows[j[keep]], r[keep], [c[keep] for c in z]


def _digests(root: str, sources: Sequence[Source]) -> _Digests:
    """Digests of all faces that are no copies within their name; test sets after the data."""
    parts = []
    for s, source in enumerate(sources):
        for n, shard in enumerate(source.faces):
            face = read_shard(root, shard, ["face_id", "identity", "sha", *([] if source.copies else ["sketch"])])
            norm = read_shard(root, source.embeddings[0][n], ["norm"])["norm"].to_numpy().astype(np.float32)
            hashes, there = _hashes(root, face, source.copies[n] if source.copies else None)
            at = np.flatnonzero(there & ~np.isnan(norm))
            who = texts(face["identity"]) if s == 0 else np.full(len(face), None, object)
            place = np.stack([np.full(len(at), s), np.full(len(at), n), at], 1)
            parts.append((texts(face["face_id"])[at], who[at], texts(face["sha"])[at], hashes[at], norm[at], place))
    return _Digests(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _hashes(root: str, face: pa.Table, copies: Shard | None) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    if copies is None:
        sketches, there = sketch_rows(face["sketch"])
        return np.array([sketch_hash(s) if t else 0 for s, t in zip(sketches, there, strict=True)], np.uint64), there
    rows = read_shard(root, copies, ["copy_of", "hash"])
    there = rows["hash"].is_valid().to_numpy(zero_copy_only=False) & ~rows["copy_of"].is_valid().to_numpy(
        zero_copy_only=False
    )
    return rows["hash"].fill_null(0).to_numpy(), there


def _together(known: _Digests) -> tuple[Indices, Indices]:
    """Pairs whose bytes or hashes bring them together."""
    i, j = near_hashes(known.hash)
    _, first, inverse = np.unique(known.sha.astype(str), return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(len(inverse)))
    pairs = np.unique(np.concatenate([np.stack([i, j], 1), np.stack([first[inverse[again]], again], 1)]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _fetch(root: str, sources: Sequence[Source], place: Indices) -> tuple[list[NDArray[Any]], NDArray[np.uint8]]:
    """Vectors of each embedder and sketches of the faces at the given places, shard by shard."""
    x: list[list[Any]] = [[None] * len(place) for _ in sources[0].embeddings]
    sketches: list[Any] = [None] * len(place)
    for s, n in np.unique(place[:, :2], axis=0).tolist():
        at = np.flatnonzero((place[:, 0] == s) & (place[:, 1] == n))
        views, _ = views_of(root, [e[n] for e in sources[s].embeddings])
        drawn, _ = sketch_rows(read_shard(root, sources[s].faces[n], ["sketch"])["sketch"])
        for k, row in zip(at.tolist(), place[at, 2].tolist(), strict=True):
            sketches[k] = drawn[row]
            for e, view in enumerate(views):
                x[e][k] = view[row]
    return [np.array(e) for e in x], np.array(sketches)


def _as_findings(known: _Digests, i: Indices, j: Indices, r: Floats, z: list[Floats]) -> pa.Table:
    """Conflicts with the poorer picture as the subject; overlaps with ours, and a likeness as any overlap has it."""
    face, norm, words = known.face, known.norm, np.array([_words(v) for v in r], object)
    test = known.place[j, 0] > 0
    swap = ~test & ((norm[i] > norm[j]) | ((norm[i] == norm[j]) & (face[i] < face[j])))
    one, two = face[np.where(swap, j, i)], face[np.where(swap, i, j)]
    conflict = findings("conflict", one[~test], two[~test], [r[~test]], words[~test])
    return gathered([conflict, findings("overlap", one[test], two[test], [c[test] for c in z], words[test])])


def _words(r: float) -> str:
    return "equal bytes" if r >= 1 else f"the faces correlate {r:.3f} when registered"
