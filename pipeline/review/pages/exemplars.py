"""Which faces of a person a page shows: the surest ones, unlike each other, so that an annotator learns the face."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refinement import Refinement
from pipeline.review.questions.persons import ClusterKey
from pipeline.tables.columns import Mask, texts, vectors
from pipeline.tables.table import read_shard

SHOWN = 6  # faces of a person on a page
SPARE = 2  # further ones, for gold questions


def choose_exemplars(
    refinement: Refinement, clusters: Collection[ClusterKey], *, avoid: Collection[str] = ()
) -> dict[ClusterKey, list[str]]:
    """For each cluster the face_ids of up to SHOWN + SPARE of its faces: those to show first, spare ones last.

    Of the half that scores best against the person: the best first, then always the face least like those chosen, so
    that a page shows the person in more than one light. avoid: face_ids that are asked about themselves.
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
        exemplars |= _of_shard(rows, usable, x, clusters)
    return exemplars


def _of_shard(
    rows: pa.Table, usable: Mask, x: NDArray[np.floating], clusters: Collection[ClusterKey]
) -> dict[ClusterKey, list[str]]:
    ids, identity = texts(rows["face_id"]), texts(rows["identity"])
    number = rows["cluster"].fill_null(-1).to_numpy()
    score = rows["core"].to_numpy(zero_copy_only=False)
    members: dict[ClusterKey, list[int]] = {}
    for i in np.flatnonzero(usable).tolist():
        key = ClusterKey(identity[i], int(number[i]))
        if key in clusters:
            members.setdefault(key, []).append(i)
    return {
        key: [ids[i] for i in _diverse(sorted(faces, key=lambda i: (-score[i], ids[i])), x)]
        for key, faces in members.items()
    }


def _diverse(best_first: Sequence[int], x: NDArray[np.floating]) -> list[int]:
    """Rows of x [n, d] in the order in which they are shown, each the least like those before it."""
    pool = list(best_first[: max(SHOWN + SPARE, len(best_first) // 2)])
    faces = x[pool].astype(np.float32)
    chosen, nearest = [0], faces @ faces[0]
    while len(chosen) < min(SHOWN + SPARE, len(pool)):
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, faces @ faces[chosen[-1]])
    return [pool[i] for i in chosen]


def faces_of_identities(refinement: Refinement, identities: Collection[str]) -> dict[str, list[str]]:
    """Faces of all clusters of an identity, by identity: for one of which nobody can say whom it shows."""
    wanted = pa.array(sorted(identities), pa.string())
    scored: dict[str, list[tuple[float, str]]] = {}
    columns = ["identity", "core", "face_id", "cluster"]
    for rows in refinement.clusters.batches(columns):
        rows = rows.filter(pc.and_(pc.is_in(rows["identity"], value_set=wanted), rows["cluster"].is_valid()))
        for identity, score, face, _ in zip(*(rows[c].to_pylist() for c in columns), strict=True):
            scored.setdefault(identity, []).append((-(score or 0.0), face))
    return {identity: [face for _, face in sorted(faces)[: 2 * SHOWN]] for identity, faces in scored.items()}


def faces_of_test_sets(refinement: Refinement, names: Iterable[str]) -> dict[str, list[str]]:
    """Faces to show of people of the test sets, by name; a test photo without a name is called by its face_id."""
    wanted = set(names)
    faces: dict[str, list[str]] = {}
    columns = ["face_id", "identity", "failure"]
    for table in refinement.test_faces:
        for rows in table.batches(columns):
            for face, identity, failure in zip(*(rows[c].to_pylist() for c in columns), strict=True):
                for name in {identity, face} & wanted if failure is None else ():
                    faces.setdefault(name, []).append(face)
    return {name: of_name[:SHOWN] for name, of_name in faces.items()}
