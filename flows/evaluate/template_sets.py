"""IJB-B and IJB-C in `refinery evaluate`: faces aligned by the listed landmarks, embedded, and pooled to templates."""

import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.by_group.figures import nobody, of_group
from flows.evaluate.by_group.group_results import GroupFigure, GroupResults
from flows.evaluate.by_group.person_groups import PersonGroups
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
    by_group = GroupResults()
    for title, embedder in models.items():
        x = _face_embeddings(embed_test_faces(root, faces, embedder, workers=options.workers), lists)
        score = lists.score if options.weigh_by_score else None
        templates = pool(x, lists.template, lists.medium, score=score, norm=options.weigh_by_norm)
        log.info("%s: %s, %d templates", lists.name, title, len(templates.ids))
        figures += _figures(lists, title, templates, options)
        if options.groups is not None:
            by_group.figures.extend(_group_figures(lists, title, templates, options, options.groups))
    pairs, missing = len(lists.pairs), without_face(faces)
    log.info("%s: %d template pairs of %d photos, %d without a face", lists.name, pairs, len(faces), missing)
    if options.groups is not None and not by_group.figures:
        by_group = nobody(lists.name)
    test_set = MeasuredTestSet(lists.name, str(Path(path)), pairs, int(lists.pairs[:, 2].sum()), missing=0)
    return Measurement(test_set, figures, by_group=by_group)


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


def _figures(
    lists: ijb.IjbLists,
    title: str,
    templates: Templates,
    options: MeasureOptions,
    chosen: Collection[int] | None = None,
) -> Iterator[Figure]:
    """1:1 verification of the listed pairs of templates, then 1:N identification in each gallery.

    chosen: templates of one group of people, of which all pairs and probes are; None: all. Galleries are always whole.
    A part of the protocol that the group has no pairs or probes for has no figures.
    """
    a, b, same = lists.pairs.T
    if chosen is not None:
        ids = np.array(sorted(chosen), np.int64)
        a, b, same = lists.pairs[np.isin(a, ids) & np.isin(b, ids)].T
    if chosen is None or 0 < same.sum() < len(same):
        verified = one_to_one(templates, a, b, same == 1, far_rule=options.far_rule)
        for far, rate in verified.tar.items():
            yield _figure(lists.name, f"TAR@FAR={far:g}", title, rate)
    probes = {t: s for t, s in lists.probes.items() if chosen is None or t in chosen}
    for name, subjects in lists.galleries.items():
        if chosen is not None and not set(probes.values()) & set(subjects.values()):
            continue
        gallery, searched = (_listed_templates(templates, s, name) for s in (subjects, probes))
        identified = one_to_many(searched, gallery, samples=options.draws, seed=options.seed)
        for k, rate in identified.ranks.items():
            yield _figure(lists.name, f"{name} rank-{k}", title, rate)
        for fpir, rate in identified.tpir.items():
            yield _figure(lists.name, f"{name} TPIR@FPIR={fpir:g}", title, rate)


def _group_figures(
    lists: ijb.IjbLists, title: str, templates: Templates, options: MeasureOptions, groups: PersonGroups
) -> list[GroupFigure]:
    """The figures of each group of subjects; the lists of 1:N name the subject of a template."""
    subjects = {t: s for listed in (*lists.galleries.values(), lists.probes) for t, s in listed.items()}
    number = groups.numbers([str(s) for s in subjects.values()], lists.name)
    figures: list[GroupFigure] = []
    for g, group in enumerate(groups.names):
        chosen = {t for t, n in zip(subjects, number.tolist(), strict=True) if n == g}
        figures += of_group(group, _figures(lists, title, templates, options, chosen) if chosen else ())
    return figures


def _listed_templates(templates: Templates, subjects: Mapping[int, int], list_name: str) -> Templates:
    """The templates of a 1:N list; subjects: the subject of each template."""
    ids = np.array(sorted(subjects), np.int64)
    rows = templates.rows(ids, f"the 1:N list {list_name}")
    return Templates(ids, templates.x[rows], np.array([subjects[i] for i in ids.tolist()], np.int64))


def _figure(test_set: str, figure: str, model: str, rate: Rate) -> Figure:
    low, high = (None, None) if np.isnan(rate.low) else (rate.low, rate.high)
    return Figure(test_set, figure, model, "", rate.value, low, high, rate.warning)
