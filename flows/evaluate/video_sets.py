"""Videos in `refinery evaluate`: a video is the mean of its frames' vectors, as the field's protocols have it.

YouTube Faces (Wolf, Hassner and Maoz 2011) asks pairs in ten folds; iQIYI-VID (Liu et al. 2018) asks, for each person
of whom some videos are known, for the others: mAP@100.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.embeddings import embed_test_faces
from flows.evaluate.pair_sets import Unseeing
from flows.evaluate.results import Asked, Figure
from flows.refine.tables import build_faces, build_photos
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.protocols import FaceEmbedder
from pipeline.sources.index import Source
from pipeline.sources.test_sets import video_lists
from pipeline.sources.test_sets.video_lists import VideoSet
from pipeline.tables.build import Workers
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table
from trainer.evaluation.retrieval import K, average_precisions, mean_average_precision
from trainer.evaluation.verification import Verification, verify

log = logging.getLogger("refinery")


class Measured(NamedTuple):
    """What was asked of each model: verifications for pairs, or figures for lists."""

    asked: Asked
    verified: dict[str, Verification]
    figures: list[Figure]


def check(path: str, *, detector: str, aligned: bool) -> None:
    """What is wrong with a set, before any frame is looked at."""
    video_lists.read_lists(path)
    if not (detector or aligned):
        raise UserError(f"{path} holds frames that are not aligned: give --detector, or --aligned if they are")


def measure(
    root: str,
    models: Mapping[str, FaceEmbedder],
    path: str,
    *,
    detector: str = "",
    aligned: bool = False,
    draws: int = 1000,
    seed: int = 0,
    workers: Workers = None,
) -> Measured:
    """What each model makes of a set of videos; a video without a face is unlike all others, and told."""
    lists, name = video_lists.read_lists(path), Path(path).absolute().name
    aligned = aligned or not detector
    taken, where = build_photos(root, [Source(name, "image-folder", str(lists.frames))], workers=workers)
    finder = Unseeing() if aligned else OnnxDetector(detector)
    faces = build_faces(root, taken, where, finder, aligned=aligned, workers=workers)
    verified: dict[str, Verification] = {}
    figures: list[Figure] = []
    lost = 0
    for title, embedder in models.items():
        means = pooled(embed_test_faces(root, faces, embedder, workers=workers))
        if lists.pairs:
            cosines = _cosines(means, lists)
            lost = int((cosines == -1).sum())
            same, fold = (np.array([getattr(p, c) for p in lists.pairs]) for c in ("same", "fold"))
            people = np.unique([p.a.partition("/")[0] for p in lists.pairs], return_inverse=True)[1]
            verified[title] = verify(cosines, same, fold, unit=people, samples=draws, seed=seed)
        else:
            found = _searched(means, lists)
            lost = sum(v not in means for videos in lists.gallery.values() for v in videos)
            value, low, high = mean_average_precision(found, samples=draws, seed=seed)
            figures.append(Figure(name, f"mAP@{K}", title, "", value, low if draws else None, high if draws else None))
        log.info("%s: %s, %d videos", name, title, len(means))
    questions = len(lists.pairs) or sum(map(len, lists.gallery.values()))
    one = sum(p.same for p in lists.pairs) or questions
    return Measured(Asked(name, path, questions, one, lost), verified, figures)


def pooled(table: Table) -> dict[str, NDArray[np.float32]]:
    """The unit mean of the vectors under each name [d], one batch of the table in memory; none without a face."""
    sums: dict[str, NDArray[np.float32]] = {}
    for part in table.batches(["identity", "x"]):
        x, there = vectors(part["x"])
        for name, row in zip(np.asarray(part["identity"].to_pylist(), object)[there], x[there], strict=True):
            sums[name] = sums.get(name, np.float32(0)) + row.astype(np.float32)
    return {name: total / max(float(np.linalg.norm(total)), 1e-12) for name, total in sums.items()}


def _cosines(means: Mapping[str, NDArray[np.float32]], lists: VideoSet) -> NDArray[np.float32]:
    return np.array(
        [float(means[p.a] @ means[p.b]) if p.a in means and p.b in means else -1 for p in lists.pairs], np.float32
    )


def _searched(means: Mapping[str, NDArray[np.float32]], lists: VideoSet) -> NDArray[np.float64]:
    """AP of each person [people]: 0 for one without a known video that shows a face."""
    gallery = [(v, person) for person, videos in lists.gallery.items() for v in videos if v in means]
    if not gallery:
        raise UserError(f"no video of {lists.frames} that {video_lists.GALLERY} names shows a face")
    owner = np.unique([person for _, person in gallery], return_inverse=True)
    number = {name: i for i, name in enumerate(owner[0].tolist())}
    x = np.stack([means[v] for v, _ in gallery])
    asked = [p for p in lists.gallery if any(v in means for v in lists.queries.get(p, []))]
    if not asked:
        raise UserError(f"no video of {lists.frames} that {video_lists.QUERIES} names shows a face of anybody sought")
    queries = np.stack([np.sum([means[v] for v in lists.queries[p] if v in means], axis=0) for p in asked])
    queries /= np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-12)
    there = np.array([len(lists.gallery[p]) for p in asked])
    found = average_precisions(queries, np.array([number.get(p, -1) for p in asked]), x, owner[1], relevant=there)
    return np.concatenate([found, np.zeros(len(lists.gallery) - len(asked))])
