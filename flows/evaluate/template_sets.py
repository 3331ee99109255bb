"""IJB-B and IJB-C in `refinery evaluate`: faces aligned by the listed landmarks, embedded, and pooled to templates."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.embeddings import embed_test_faces
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.pair_sets import without_face
from flows.evaluate.results import Figure, MeasuredTestSet, Measurement
from flows.refine.test_sets import check_has_faces
from pipeline import schema
from pipeline.faces import listed_landmarks
from pipeline.faces.protocols import FaceEmbedder
from pipeline.sources.test_sets import ijb
from pipeline.tables.build import build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table
from trainer.evaluation.templates import Rate, Templates, one_to_many, one_to_one, pool

log = logging.getLogger("refinery")


def measure(root: str, models: Mapping[str, FaceEmbedder], path: str, options: MeasureOptions) -> Measurement:
    """The figures of each model on an IJB set; photos without a face are left out of their templates.

    Raises UserError for a set with missing files.
    """
    lists, folder = ijb.read_lists(path), Path(path).absolute() / ijb.PHOTOS
    faces = build(
        root,
        "faces",
        listed_landmarks.align_shard,
        ijb.parts(path, lists),
        schema=schema.FACES,
        workers=options.workers,
        unhashed={"folder": str(folder)},
    )
    check_has_faces(faces, path)
    figures: list[Figure] = []
    for title, embedder in models.items():
        x = _face_embeddings(embed_test_faces(root, faces, embedder, workers=options.workers), lists)
        score = lists.score if options.weigh_by_score else None
        templates = pool(x, lists.template, lists.medium, score=score, norm=options.weigh_by_norm)
        log.info("%s: %s, %d templates", lists.name, title, len(templates.ids))
        figures += _figures(lists, title, templates, options)
    pairs, missing = len(lists.pairs), without_face(faces)
    log.info("%s: %d template pairs of %d photos, %d without a face", lists.name, pairs, len(faces), missing)
    return Measurement(
        MeasuredTestSet(lists.name, str(Path(path)), pairs, int(lists.pairs[:, 2].sum()), missing=0), figures
    )


def _face_embeddings(table: Table, lists: ijb.IjbLists) -> NDArray[np.float32]:
    """The embedding of each listed face [n, d], not normalised; zeros where there is no face."""
    ids, parts = [], []
    for rows in table.batches(["face_id", "x", "norm"]):
        units, _ = vectors(rows["x"])
        norms = rows["norm"].fill_null(0).to_numpy()[:, None].astype(np.float32)
        ids += rows["face_id"].to_pylist()
        parts.append(units.astype(np.float32) * norms)
    row_of = {face_id: row for row, face_id in enumerate(ids)}
    listed = [row_of[listed_landmarks.face_id(photo)] for photo in lists.photos]
    return np.asarray(np.concatenate(parts)[listed], np.float32)


def _figures(lists: ijb.IjbLists, title: str, templates: Templates, options: MeasureOptions) -> Iterator[Figure]:
    """1:1 verification of the listed pairs of templates, then 1:N identification in each gallery."""
    a, b, same = lists.pairs.T
    verified = one_to_one(templates, a, b, same == 1, far_rule=options.far_rule)
    for far, rate in verified.tar.items():
        yield _figure(lists.name, f"TAR@FAR={far:g}", title, rate)
    for name, subjects in lists.galleries.items():
        gallery, probes = (_listed_templates(templates, s, name) for s in (subjects, lists.probes))
        identified = one_to_many(probes, gallery, samples=options.draws, seed=options.seed)
        for k, rate in identified.ranks.items():
            yield _figure(lists.name, f"{name} rank-{k}", title, rate)
        for fpir, rate in identified.tpir.items():
            yield _figure(lists.name, f"{name} TPIR@FPIR={fpir:g}", title, rate)


def _listed_templates(templates: Templates, subjects: Mapping[int, int], list_name: str) -> Templates:
    """The templates of a 1:N list; subjects: the subject of each template."""
    ids = np.array(sorted(subjects), np.int64)
    rows = templates.rows(ids, f"the 1:N list {list_name}")
    return Templates(ids, templates.x[rows], np.array([subjects[i] for i in ids.tolist()], np.int64))


def _figure(test_set: str, figure: str, model: str, rate: Rate) -> Figure:
    low, high = (None, None) if np.isnan(rate.low) else (rate.low, rate.high)
    return Figure(test_set, figure, model, "", rate.value, low, high, rate.warning)
