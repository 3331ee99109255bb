"""The exemplars of a person: faces that surely show the person and differ from each other.

Pages show them, so that annotators learn what the person looks like.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refinement import Refinement
from pipeline.review.questions.persons import ClusterKey
from pipeline.tables.columns import Mask, texts, vectors
from pipeline.tables.table import read_shard

SHOWN = 6  # exemplars on a page
SPARE = 2  # further exemplars, which are not shown: they serve as gold questions


def choose_exemplars(
    refinement: Refinement,
    clusters: Collection[ClusterKey],
    *,
    avoid: Collection[str] = (),
    last_resort: Collection[str] = (),
) -> dict[ClusterKey, list[str]]:
    """The face_ids of up to SHOWN + SPARE exemplars of each cluster, those to show first.

    They are chosen among the half of the faces that score highest against the person: the highest first, then always
    the face that is least similar to those already chosen.
    avoid: face_ids of suspects, which are never exemplars. last_resort: face_ids that are exemplars only of clusters
    with no other faces, and then at most half of the cluster's.
    """
    identities = pa.array(sorted({key.identity for key in clusters}), pa.string())
    root, exemplars = refinement.root, dict[ClusterKey, list[str]]()
    tables = (refinement.clusters, refinement.embeddings[0], refinement.copies)
    for of_clusters, of_embeddings, of_copies in zip(*(t.shards for t in tables), strict=True):
        rows = read_shard(root, of_clusters, ["face_id", "identity", "cluster", "core"])
        wanted = pc.is_in(rows["identity"], value_set=identities)
        if not pc.any(wanted).as_py():
            continue
        duplicate = read_shard(root, of_copies, ["copy_of"])["copy_of"].is_valid()
        x, embedded = vectors(read_shard(root, of_embeddings, ["x"])["x"])
        usable = embedded & np.asarray(wanted) & ~np.asarray(duplicate)
        usable &= ~np.isin(texts(rows["face_id"]).astype(str), sorted(avoid))
        exemplars |= _of_shard(rows, usable, x, clusters, set(last_resort))
    return exemplars


def _of_shard(
    rows: pa.Table,
    usable: Mask,
    x: NDArray[np.floating],
    clusters: Collection[ClusterKey],
    last_resort: Collection[str],
) -> dict[ClusterKey, list[str]]:
    """The exemplars of clusters in one shard; usable [n]: which rows may be exemplars; x [n, d]: embeddings."""
    ids, identity = texts(rows["face_id"]), texts(rows["identity"])
    number = rows["cluster"].fill_null(-1).to_numpy()
    score = rows["core"].to_numpy(zero_copy_only=False)
    members: dict[ClusterKey, list[int]] = {}
    for i in np.flatnonzero(usable).tolist():
        key = ClusterKey(identity[i], int(number[i]))
        if key in clusters:
            members.setdefault(key, []).append(i)
    exemplars = {}
    for key, faces in members.items():
        best_first = sorted(faces, key=lambda i: (-score[i], ids[i]))
        preferred = [i for i in best_first if ids[i] not in last_resort]
        exemplars[key] = [ids[i] for i in _diverse(preferred or best_first[: (len(best_first) + 1) // 2], x)]
    return exemplars


def _diverse(best_first: Sequence[int], x: NDArray[np.floating]) -> list[int]:
    """Rows of unit embeddings x [n, d]: the first of best_first, then each the least similar to those before it."""
    pool = list(best_first[: max(SHOWN + SPARE, len(best_first) // 2)])
    faces = x[pool].astype(np.float32)
    chosen, nearest = [0], faces @ faces[0]
    while len(chosen) < min(SHOWN + SPARE, len(pool)):
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, faces @ faces[chosen[-1]])
    return [pool[i] for i in chosen]


def faces_of_identities(refinement: Refinement, identities: Collection[str]) -> dict[str, list[str]]:
    """Face_ids of all clusters of an identity, by identity; for identities without a person to show."""
    wanted = pa.array(sorted(identities), pa.string())
    scored: dict[str, list[tuple[float, str]]] = {}
    columns = ["identity", "core", "face_id", "cluster"]
    for rows in refinement.clusters.batches(columns):
        rows = rows.filter(pc.and_(pc.is_in(rows["identity"], value_set=wanted), rows["cluster"].is_valid()))
        for identity, score, face, _ in zip(*(rows[c].to_pylist() for c in columns), strict=True):
            scored.setdefault(identity, []).append((-(score or 0.0), face))
    return {identity: [face for _, face in sorted(faces)[: 2 * SHOWN]] for identity, faces in scored.items()}


def faces_of_test_sets(refinement: Refinement, names: Iterable[str]) -> dict[str, list[str]]:
    """Face_ids to show for identities of the test sets, by name; a photo without a name is called by its face_id."""
    wanted = set(names)
    faces: dict[str, list[str]] = {}
    columns = ["face_id", "identity", "failure"]
    for table in refinement.test_faces:
        for rows in table.batches(columns):
            for face, identity, failure in zip(*(rows[c].to_pylist() for c in columns), strict=True):
                for name in {identity, face} & wanted if failure is None else ():
                    faces.setdefault(name, []).append(face)
    return {name: of_name[:SHOWN] for name, of_name in faces.items()}
