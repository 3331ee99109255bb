"""TinyFace in `refinery evaluate`: probes of few pixels, identified in a gallery of mates and distractors."""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.by_group.figures import of_group
from flows.evaluate.by_group.group_results import GroupResults
from flows.evaluate.embeddings import embed_test_faces, unit_rows
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.pair_sets import NoDetector, check_aligned, without_face
from flows.evaluate.results import Figure, MeasuredTestSet, Measurement
from flows.refine.tables import build_faces, build_photos
from flows.refine.test_sets import check_has_faces
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.protocols import FaceEmbedder
from pipeline.schema import face_id
from pipeline.sources.index import Source
from pipeline.sources.test_sets.identification import tinyface
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table
from trainer.evaluation.closed_set import RANKS, ClosedSet, search_closed_set

log = logging.getLogger("refinery")
Vectors = NDArray[np.float32]


def check(path: str, *, detector: str, aligned: bool) -> None:
    """Raise UserError for a set that cannot be measured, before any photo is read."""
    tinyface.read_lists(path)
    check_aligned(path, detector=detector, aligned=aligned)


def measure(root: str, models: Mapping[str, FaceEmbedder], path: str, options: MeasureOptions) -> Measurement:
    """Rank-k and mean average precision of each model. A probe or mate without a face is not found."""
    lists, name = tinyface.read_lists(path), "TinyFace"
    photos, source_paths = build_photos(
        root, [Source(name, "image-folder", str(lists.folder))], workers=options.workers
    )
    detector = NoDetector() if options.aligned else OnnxDetector(options.detector)
    faces = build_faces(root, photos, source_paths, detector, aligned=options.aligned, workers=options.workers)
    check_has_faces(faces, path)
    figures: list[Figure] = []
    by_group = GroupResults()
    for title, embedder in models.items():
        table = embed_test_faces(root, faces, embedder, workers=options.workers)
        probes, mates = (_listed(table, name, listed, path) for listed in (lists.probes, lists.mates))
        person, mate = (np.array(list(p.values()), np.int64) for p in (lists.probes, lists.mates))
        result = search_closed_set(probes, person, mates, mate, _distractors(table))
        log.info("%s: %s, %d probes among %d photos", name, title, len(probes), len(faces) - len(probes))
        figures += _figures(name, title, result, options)
        if options.groups is not None:
            number = options.groups.numbers([str(p) for p in person.tolist()], name)
            for g in np.unique(number[number >= 0]).tolist():
                own = _figures(name, title, result.of_probes(number == g), options)
                by_group.figures.extend(of_group(options.groups.names[g], own))
    test_set = MeasuredTestSet(name, path, len(lists.probes), len(lists.probes), without_face(faces))
    return Measurement(test_set, figures, by_group=by_group)


def _figures(name: str, title: str, result: ClosedSet, options: MeasureOptions) -> Iterator[Figure]:
    draws, seed = options.draws, options.seed
    values = {f"rank-{k}": result.rank(k, samples=draws, seed=seed) for k in RANKS}
    values["mAP"] = result.mean_average_precision(samples=draws, seed=seed)
    for figure, (value, *bounds) in values.items():
        low, high = bounds if draws else (None, None)
        yield Figure(name, figure, title, "", value, low, high)


def _listed(table: Table, name: str, listed: Mapping[str, int], path: str) -> Vectors:
    """The unit embedding of each listed photo [n, d]; zeros where there is no face."""
    row_of = {face_id(name, photo): i for i, photo in enumerate(listed)}
    found = np.zeros(len(listed), bool)
    x: Vectors | None = None
    for rows in table.batches(["face_id", "x"]):
        block = unit_rows(vectors(rows["x"])[0])
        x = np.zeros((len(listed), block.shape[1]), np.float32) if x is None else x
        at = [row_of.get(i, -1) for i in rows["face_id"].to_pylist()]
        chosen = np.flatnonzero(np.array(at) >= 0)
        x[np.array(at)[chosen]], found[np.array(at)[chosen]] = block[chosen], True
    if x is None or not found.all():
        missing = [photo for photo, is_found in zip(listed, found, strict=True) if not is_found]
        raise UserError(f"{path} lists {missing[0]}, which is not there, nor are {len(missing) - 1} others")
    return x


def _distractors(table: Table) -> Iterator[Vectors]:
    """Blocks of the distractors' unit embeddings; zeros where there is no face."""
    for rows in table.batches(["identity", "x"]):
        is_distractor = np.array([i == tinyface.DISTRACTORS for i in rows["identity"].to_pylist()])
        yield unit_rows(vectors(rows["x"])[0])[is_distractor]
