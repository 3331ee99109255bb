"""Videos in `refinery evaluate`: the embedding of a video is the mean of its frames' embeddings.

YouTube Faces (Wolf, Hassner and Maoz 2011) lists pairs of videos in ten folds. iQIYI-VID (Liu et al. 2018) gives some
known videos of each person; a gallery is searched for the person's other videos, and the figure is mAP@100.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.by_group.figures import of_group, verified_groups
from flows.evaluate.by_group.group_results import GroupResults
from flows.evaluate.embeddings import embed_test_faces
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.pair_sets import NoDetector, check_aligned
from flows.evaluate.results import Figure, MeasuredTestSet, Measurement
from flows.evaluate.verify_pairs import verification_figures
from flows.refine.tables import build_faces, build_photos
from flows.refine.test_sets import check_has_faces
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.protocols import FaceEmbedder
from pipeline.sources.index import Source
from pipeline.sources.test_sets import video_lists
from pipeline.sources.test_sets.video_lists import VideoSet
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table
from trainer.evaluation.by_group.group_pairs import GroupVerifications, verify_groups
from trainer.evaluation.retrieval import K, average_precisions, mean_average_precision
from trainer.evaluation.verification import Verification, verify

log = logging.getLogger("refinery")
Means = Mapping[str, NDArray[np.float32]]  # the unit mean of embeddings [d] of each video with a face, by video
NO_FACE = -1  # the cosine of a pair with a video that shows no face: below every threshold


def check(path: str, *, detector: str, aligned: bool) -> None:
    """Raise UserError for a set of videos that cannot be measured, before any frame is read."""
    video_lists.read_lists(path)
    check_aligned(path, detector=detector, aligned=aligned)


def measure(root: str, models: Mapping[str, FaceEmbedder], path: str, options: MeasureOptions) -> Measurement:
    """The figures of each model on a set of videos; a video without a face matches no other."""
    lists, name = video_lists.read_lists(path), Path(path).absolute().name
    faces = _frame_faces(root, name, lists, options)
    check_has_faces(faces, path)
    means: dict[str, Means] = {}
    for title, embedder in models.items():
        means[title] = mean_by_video(embed_test_faces(root, faces, embedder, workers=options.workers))
        log.info("%s: %s, %d videos", name, title, len(means[title]))
    return (_verification if lists.pairs else _retrieval)(name, path, lists, means, options)


def _frame_faces(root: str, name: str, lists: VideoSet, options: MeasureOptions) -> Table:
    aligned = options.aligned or not options.detector
    frames = Source(name, "image-folder", str(lists.frames))
    photos, source_paths = build_photos(root, [frames], workers=options.workers)
    detector = NoDetector() if aligned else OnnxDetector(options.detector)
    return build_faces(root, photos, source_paths, detector, aligned=aligned, workers=options.workers)


def mean_by_video(table: Table) -> dict[str, NDArray[np.float32]]:
    """The unit mean [d] of the embeddings of each video with a face; one batch of the table is in memory at a time."""
    sums: dict[str, NDArray[np.float32]] = {}
    for rows in table.batches(["identity", "x"]):
        x, has_face = vectors(rows["x"])
        videos = np.asarray(rows["identity"].to_pylist(), object)
        for video, row in zip(videos[has_face], x[has_face], strict=True):
            sums[video] = sums.get(video, np.float32(0)) + row.astype(np.float32)
    return {video: total / max(float(np.linalg.norm(total)), 1e-12) for video, total in sums.items()}


def _verification(
    name: str, path: str, lists: VideoSet, means: Mapping[str, Means], options: MeasureOptions
) -> Measurement:
    """The listed pairs verified by each model."""
    genuine = np.array([pair.same for pair in lists.pairs])
    fold = np.array([pair.fold for pair in lists.pairs])
    a = [pair.a.partition("/")[0] for pair in lists.pairs]
    b = [pair.b.partition("/")[0] for pair in lists.pairs]
    people = np.unique(a, return_inverse=True)[1]
    sides = None if options.groups is None else (options.groups.numbers(a, name), options.groups.numbers(b, name))
    how: dict[str, Any] = {"unit": people, "far_rule": options.far_rule, "samples": options.draws, "seed": options.seed}
    verified: dict[str, Verification] = {}
    of_groups: dict[str, GroupVerifications] = {}
    missing = 0
    for title, model_means in means.items():
        cosines = _pair_cosines(model_means, lists)
        missing = int((cosines == NO_FACE).sum())
        verified[title] = verify(cosines, genuine, fold, **how)
        if sides is not None:
            of_groups[title] = verify_groups(cosines, genuine, fold, sides, **how)
    test_set = MeasuredTestSet(name, path, len(lists.pairs), int(genuine.sum()), missing)
    by_group = GroupResults() if options.groups is None else verified_groups(name, options.groups, of_groups)
    return Measurement(test_set, verification_figures(name, verified), verified, by_group)


def _pair_cosines(means: Means, lists: VideoSet) -> NDArray[np.float32]:
    """The cosine of each listed pair [pairs]."""
    cosines = [
        float(means[pair.a] @ means[pair.b]) if pair.a in means and pair.b in means else NO_FACE for pair in lists.pairs
    ]
    return np.array(cosines, np.float32)


def _retrieval(
    name: str, path: str, lists: VideoSet, means: Mapping[str, Means], options: MeasureOptions
) -> Measurement:
    """The mean average precision of each model in the search for the people's other videos."""
    figures: list[Figure] = []
    by_group = GroupResults()
    missing = 0
    for title, model_means in means.items():
        people, precisions = _average_precisions(model_means, lists)
        missing = sum(video not in model_means for videos in lists.gallery.values() for video in videos)
        figures.append(_mean(name, title, precisions, options))
        if options.groups is not None:
            number = options.groups.numbers(people, name)
            for g, group in enumerate(options.groups.names):
                if (number == g).any():
                    of_these = _mean(name, title, precisions[number == g], options)
                    by_group.figures.extend(of_group(group, [of_these]))
    videos = sum(map(len, lists.gallery.values()))
    return Measurement(MeasuredTestSet(name, path, videos, videos, missing), figures, by_group=by_group)


def _mean(name: str, title: str, precisions: NDArray[np.float64], options: MeasureOptions) -> Figure:
    """The mean of some people's average precisions."""
    value, low, high = mean_average_precision(precisions, samples=options.draws, seed=options.seed)
    limits = (low, high) if options.draws else (None, None)
    return Figure(name, f"mAP@{K}", title, "", value, *limits)


def _average_precisions(means: Means, lists: VideoSet) -> tuple[list[str], NDArray[np.float64]]:
    """The people, and the average precision of each; 0 for a person whose known videos show no face."""
    gallery = [(video, person) for person, videos in lists.gallery.items() for video in videos if video in means]
    if not gallery:
        raise UserError(f"no video of {lists.frames} that {video_lists.GALLERY} names shows a face")
    names, owner = np.unique([person for _, person in gallery], return_inverse=True)
    number = {person: i for i, person in enumerate(names.tolist())}
    x = np.stack([means[video] for video, _ in gallery])
    searched = [p for p in lists.gallery if any(video in means for video in lists.queries.get(p, []))]
    if not searched:
        raise UserError(f"no video of {lists.frames} that {video_lists.QUERIES} names shows a face of a person to find")
    queries = np.stack([np.sum([means[v] for v in lists.queries[p] if v in means], axis=0) for p in searched])
    queries /= np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-12)
    relevant = np.array([len(lists.gallery[p]) for p in searched])
    query_person = np.array([number.get(p, -1) for p in searched])
    precisions = average_precisions(queries, query_person, x, owner, relevant=relevant)
    others = [p for p in lists.gallery if p not in set(searched)]
    return [*searched, *others], np.concatenate([precisions, np.zeros(len(others))])
