"""Finds the photos of one person in a refinement: by scores with the mean of the photos that are surely of the person.

One idea: a mean of several photos is more like its person than any photo is. So the search begins with what is given,
takes what passes the threshold, and searches again with the mean of that. A photo is searched by the face that the
detector's rule took and by the face that was chosen among several.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.find.gallery import refined_gallery
from flows.find.results import SURE_COSINE
from pipeline.faces.picture import decode
from pipeline.faces.protocols import FaceEmbedder
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.score_norm import impostor_stats, score_matrix
from pipeline.progress import stage_progress
from pipeline.refinement import Refinement
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table

ROUNDS = 3  # of searches with the mean of what the search before found; the third one changes next to nothing
MAJORITY = 0.5  # share of a cluster's faces from which on the whole cluster is the person
BATCH = 64  # further faces embedded at a time
Vectors = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class FoundFaces:
    """The face_ids of photos and of further faces that show the person, each with its score; mean: of the photos [d].

    A photo without a score was added because its cluster or its duplicate is the person's.
    """

    photos: Mapping[str, float | None]
    further: Mapping[str, float]
    mean: Vectors | None = field(default=None, repr=False)
    far: float = 1e-4  # at which they were found


def search_person(
    refinement: Refinement, model: FaceEmbedder, given: Vectors, *, far: float, seeds: Collection[str] = ()
) -> FoundFaces:
    """All photos and further faces of a person.

    given: embeddings [n, d] to begin with, n >= 1. seeds: face_ids of photos that are the person's whatever they score.
    far: false accept rate of the threshold. Raises UserError where the refinement's embeddings are not of the model.
    """
    gallery = refined_gallery(refinement.root, model)
    threshold = threshold_at_far(gallery.far_curve, far)
    search = _Search(refinement, gallery.impostors, threshold)
    centre, found = given, dict[str, float]()
    with stage_progress("search", total=ROUNDS, unit="searches") as advance:
        for number in range(ROUNDS):
            found, mean = search.photos(centre, seeds)
            advance(len(found))
            if not number and not seeds and found:  # a photo alone finds few: its cluster shows the person as well
                cluster = _best_cluster(refinement, found)
                mean = embeddings_of(refinement.embeddings[0], cluster).mean(0) if cluster else mean
            if mean is None:
                break
            centre = np.asarray(mean, np.float64)[None]
    photos: dict[str, float | None] = {**dict.fromkeys(seeds), **found}
    photos |= dict.fromkeys(_rest_of_clusters(refinement, photos) - photos.keys())
    photos |= dict.fromkeys(same_pictures(refinement, photos) - photos.keys())
    return FoundFaces(photos, search.further(model, centre) if found else {}, centre[0], far)


def test_faces_like(refinement: Refinement, model: FaceEmbedder, found: FoundFaces) -> int:
    """How many photos of the refinement's test sets show the person; found: what search_person() returned."""
    if not found.photos or found.mean is None:
        return 0
    gallery = refined_gallery(refinement.root, model)
    search = _Search(refinement, gallery.impostors, threshold_at_far(gallery.far_curve, found.far))
    centre = found.mean[None]
    return sum(len(search.embedded(t, model, centre, stage="test sets")) for t in refinement.test_faces)


def same_pictures(refinement: Refinement, photos: Collection[str]) -> set[str]:
    """The face_ids of these photos and of all their duplicates, under one identity or under several."""
    neighbours: dict[str, set[str]] = {}
    verdicts = (v for rows in refinement.decisions.batches(["verdict"]) for v in rows["verdict"].to_pylist())
    columns = ["kind", "subject", "object"]
    findings = (row for rows in refinement.judged_findings.batches(columns) for row in rows.to_pylist())
    for finding, verdict in zip(findings, verdicts, strict=True):
        same = finding["kind"] == "duplicate" and verdict == "yes"
        if same or (finding["kind"] == "conflict" and verdict != "no"):
            neighbours.setdefault(finding["subject"], set()).add(finding["object"])
            neighbours.setdefault(finding["object"], set()).add(finding["subject"])
    found, waiting = set(photos), list(photos)
    while waiting:
        new = neighbours.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


class _Search:
    """Searches the photos and further faces of a refinement; impostors, threshold: of the normalised scores."""

    def __init__(self, refinement: Refinement, impostors: Any, threshold: float) -> None:
        self.refinement, self.impostors, self.threshold = refinement, impostors, threshold
        by_rule = refinement.main_embeddings[:1]
        chosen = refinement.embeddings[0]
        self.tables = [chosen, *(t for t in by_rule if t.address != chosen.address)]

    def photos(self, centres: Vectors, seeds: Collection[str]) -> tuple[dict[str, float], Vectors | None]:
        """The photos that pass against the best of the centres, and their mean [d]; None where none passes."""
        found: dict[str, float] = {}
        total: Vectors = np.zeros(centres.shape[1])
        for ids, x in self._shards():
            scores, same = self._compare(centres, x)
            taken = same | np.isin(ids, list(seeds)) if seeds else same
            total = total + x[taken].astype(np.float64).sum(0)
            for i in np.flatnonzero(same).tolist():
                found[ids[i]] = max(float(scores[i]), found.get(ids[i], -np.inf))
        length = float(np.linalg.norm(total))
        return found, total / length if length else None

    def further(self, model: FaceEmbedder, centre: Vectors) -> dict[str, float]:
        """The further faces of other people's photos that pass; they are embedded now."""
        candidates = self.refinement.candidates
        if candidates is None or not len(candidates):
            return {}
        return self.embedded(candidates, model, centre, stage="further faces")

    def embedded(self, table: Table, model: FaceEmbedder, centre: Vectors, *, stage: str) -> dict[str, float]:
        """The faces of a table that pass; they are embedded now. stage: the name of this in the log."""
        found: dict[str, float] = {}
        with stage_progress(stage, total=len(table.shards)) as advance:
            for rows in table.batches(["face_id", "jpeg"]):
                faces = rows.filter(rows["jpeg"].is_valid())
                for start in range(0, len(faces), BATCH):
                    block = faces.slice(start, BATCH)
                    x = model(np.stack([decode(jpeg) for jpeg in block["jpeg"].to_pylist()])).astype(np.float64)
                    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
                    scores, same = self._compare(centre, x)
                    ids = block["face_id"].to_pylist()
                    found |= {ids[i]: float(scores[i]) for i in np.flatnonzero(same).tolist()}
                advance(len(rows))
        return found

    def _compare(self, centres: Vectors, x: Vectors) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The best score [n] of each face with the centres, and whether it passes."""
        if not len(x):
            return np.zeros(0), np.zeros(0, bool)
        unit = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        query = impostor_stats(np.asarray(unit, np.float64), self.impostors)
        faces = impostor_stats(x.astype(np.float64), self.impostors)
        scores = score_matrix(query, faces).max(0)
        return scores, (scores >= self.threshold) | ((query.x @ faces.x.T).max(0) >= SURE_COSINE)

    def _shards(self) -> Iterator[tuple[list[str], Vectors]]:
        """The face_ids and embeddings of the photos with a face, shard by shard."""
        for table in self.tables:
            for rows in table.batches(["face_id", "x"]):
                x, has_face = vectors(rows["x"])
                yield rows["face_id"].filter(has_face).to_pylist(), x[has_face]


def embeddings_of(table: Table, face_ids: Collection[str]) -> Vectors:
    """The embeddings [n, d] of those of these photos that have a face."""
    found = []
    for rows in table.batches(["face_id", "x"]):
        x, has_face = vectors(rows["x"])
        found.append(x[has_face & np.isin(rows["face_id"].to_pylist(), list(face_ids))])
    return np.concatenate(found)


def _rest_of_clusters(refinement: Refinement, photos: Collection[str]) -> set[str]:
    """The faces of the clusters most of whose faces are among these photos."""
    rest: set[str] = set()
    for faces in _clusters(refinement):
        if sum(face in photos for face in faces) > MAJORITY * len(faces):
            rest.update(faces)
    return rest


def _best_cluster(refinement: Refinement, scores: Mapping[str, float]) -> list[str]:
    """The faces of the cluster whose found photos have the highest sum of scores; none where none is in a cluster.

    scores: of the found photos.
    """
    best, highest = list[str](), 0.0
    for faces in _clusters(refinement):
        if (total := sum(scores.get(face, 0.0) for face in faces)) > highest:
            best, highest = faces, total
    return best


def _clusters(refinement: Refinement) -> Iterator[list[str]]:
    """The face_ids of each cluster; a face without an identity is one of its own. No cluster crosses a shard."""
    for rows in refinement.clusters.batches(["face_id", "identity", "cluster"]):
        clusters: dict[tuple[str, int], list[str]] = {}
        for row in rows.to_pylist():
            if row["identity"] is None:
                yield [row["face_id"]]
            elif row["cluster"] is not None:
                clusters.setdefault((row["identity"], row["cluster"]), []).append(row["face_id"])
        yield from clusters.values()
