"""The strays table: faces that belong to no person of their identity and match a person of another one (misplaced).

Such faces of one cluster are compared by their common centre: five photos of a co-star match their identity more surely
than a single one does.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.noise.calibration import read_calibration
from pipeline.noise.face_quality.quality import weak_faces
from pipeline.noise.findings import findings_table
from pipeline.noise.groups.calibrations import Calibrations, read_calibrations
from pipeline.noise.person_gallery import PersonGallery, read_comparable, read_persons
from pipeline.noise.scores.centres import robust_centre
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats
from pipeline.noise.scores.score_norm import FaceVectors
from pipeline.noise.search.candidates import Matches, Rows, find_candidates, matches_of_pairs
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import Shard, read_shard

NEAREST = 5  # nearest persons that a stray cluster is scored with
MIN_CLUSTER = 3  # faces that a stray cluster needs to be compared as one; faces of smaller ones are compared singly
FACE_FAR = 1e-3  # each face of a stray cluster must reach the threshold for this FAR by itself


def stray_shard(
    part: tuple[tuple[Shard, ...], Shard, Shard, *tuple[Shard, ...]],
    *,
    root: str,
    calibration: Shard,
    persons: Sequence[Shard],
    rate: float,
    alone: float,
    groups: Sequence[Shard] | None = None,
    memory_bytes: int | None = None,
) -> pa.Table:
    """The persons whom the stray faces of one shard may show.

    part: the shards of each embedder's embeddings, of clusters, of persons, and perhaps of qualities: weak faces are
    left out. persons: all shards of the persons table; rate: expected false alarms for each stray cluster among all
    persons; alone: FAR that each face of a cluster must reach by itself, because it may be in the cluster by chance;
    groups: the GroupShards, if identities have groups; memory_bytes: how much the blocks of the search may take.
    """
    embeddings, clusters, shard_persons, *quality = part
    calibrations = read_calibrations(root, calibration, groups)
    score_calibration = calibrations.whole
    gallery = read_persons(root, persons, calibration)
    x, _ = read_vectors(root, embeddings)
    rows = read_shard(root, clusters, ["face_id", "identity", "cluster"])
    is_weak = weak_faces(root, quality, faces=len(rows))
    rows = rows.set_column(2, "cluster", pc.if_else(pa.array(is_weak), None, rows["cluster"]))
    face, stray = _strays_of_shard(root, rows, shard_persons, score_calibration)
    if not len(face) or not len(gallery.person):
        return schema.FINDINGS.empty_table()
    start = np.flatnonzero(np.append(True, np.diff(stray) > 0))
    size = np.diff(np.append(start, len(stray)))
    centres = all_impostor_stats([_centres(e[face], start, size) for e in x], score_calibration)
    min_score = threshold_at_far(score_calibration.fused_curve, rate / len(gallery.person))
    identities = texts(rows["identity"].take(pa.array(face[start])))
    matches = other_identities(
        centres, identities, gallery, calibrations, min_score=min_score, memory_bytes=memory_bytes
    )
    each = np.repeat(np.arange(len(matches.query)), size[matches.query])  # the match of each stray face
    faces_of_clusters = (np.arange(start[q], start[q] + size[q]) for q in matches.query)
    matched = face[np.concatenate([np.empty(0, np.int64), *faces_of_clusters])]  # rows of the shard
    vectors, person = all_impostor_stats([e[matched] for e in x], score_calibration), matches.row[each]
    alike = matches_of_pairs(vectors, np.arange(len(matched)), gallery.centres, person, score_calibration)
    claimed = identities[matches.query[each]]
    scores = calibrations.rescored(alike, (vectors, claimed), (gallery.centres, gallery.identity)).fused
    sure = scores >= threshold_at_far(score_calibration.fused_curve, alone)
    each, ids = each[sure], texts(rows["face_id"].take(pa.array(matched[sure])))
    evidence = [_evidence(matches.scores[0][k], size[matches.query[k]]) for k in each]
    return findings_table("misplaced", ids, gallery.person[person[sure]], [z[each] for z in matches.scores], evidence)


def _evidence(score: float, size: int) -> str:
    return f"likeness {score:.1f}" + (f" of a group of {size}" if size > 1 else "")


def _centres(x: NDArray[Any], start: Rows, size: Rows) -> NDArray[np.float64]:
    """The robust centres of stray clusters; faces x [n, d] of cluster i are the size[i] rows from start[i] on."""
    rows = np.asarray(x[start], np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    for row in np.flatnonzero(size > 1).tolist():
        rows[row] = robust_centre(x[start[row] : start[row] + size[row]])
    return rows


def other_identities(
    centres: Sequence[FaceVectors],
    identities: NDArray[np.object_],
    gallery: PersonGallery,
    calibrations: Calibrations,
    *,
    min_score: float,
    memory_bytes: int | None = None,
) -> Matches:
    """For each stray cluster the person of another identity with the highest score, if it reaches min_score.

    centres: for each embedder those of the n clusters; identities [n]: the claimed identity of each cluster.
    """
    whole = calibrations.whole
    i, j = find_candidates(centres, gallery.gallery, whole, k=NEAREST, memory_bytes=memory_bytes)
    other = gallery.identity[j] != identities[i]
    matches = matches_of_pairs(centres, i[other], gallery.centres, j[other], whole)
    best = calibrations.rescored(matches, (centres, identities), (gallery.centres, gallery.identity)).best()
    return best.select(best.fused >= min_score)


def count_stray_clusters(root: str, clusters: Shard, persons: Shard, calibration: Shard) -> int:
    """How many stray clusters one shard has; calibration: the shard of that table."""
    rows = read_shard(root, clusters, ["identity", "cluster"])
    _, stray = _strays_of_shard(root, rows, persons, read_calibration(root, calibration))
    return int(stray.max(initial=-1)) + 1


def _strays_of_shard(root: str, rows: pa.Table, persons: Shard, calibration: Calibration) -> tuple[Rows, Rows]:
    """stray_faces() of one shard. rows: identity and cluster of the clusters table; persons: the shard of persons."""
    columns = ["identity", "cluster", "size", "of", "cohesion", "cohesion_second"]
    coherent = read_comparable(root, persons, calibration, columns)
    return stray_faces(rows["identity"], rows["cluster"].fill_null(-1).to_numpy(), coherent)


def stray_faces(identity: pa.ChunkedArray, labels: NDArray[Any], persons: pa.Table) -> tuple[Rows, Rows]:
    """The rows of the faces that belong to no person of their identity, and the stray cluster of each of them.

    identity [n], labels [n]: the identity of each face and its cluster within the identity, -1 for none; persons: their
    identity and cluster. The rows are sorted by stray cluster. The faces of clusters of fewer than MIN_CLUSTER faces
    are stray clusters of one face each.
    """
    names = identity.combine_chunks().dictionary_encode()
    code = names.indices.fill_null(-1).to_numpy()
    clusters = int(labels.max(initial=0)) + 1
    of_person = pc.index_in(persons["identity"], value_set=names.dictionary).fill_null(-1).to_numpy()
    key = code.astype(np.int64) * clusters + labels
    person_key = of_person.astype(np.int64) * clusters + persons["cluster"].to_numpy()
    face = np.flatnonzero((code >= 0) & (labels >= 0) & ~np.isin(key, person_key))
    face = face[np.argsort(key[face], kind="stable")]
    _, inverse, size = np.unique(key[face], return_inverse=True, return_counts=True)
    single = (size < MIN_CLUSTER)[inverse]
    begins = np.append(True, np.diff(inverse) > 0)[: len(face)] | single
    return face, np.cumsum(begins) - 1
