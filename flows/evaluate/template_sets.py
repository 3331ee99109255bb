"""IJB-B and IJB-C in `refinery evaluate`: faces cut by their points, embedded like any others, pooled to templates."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.embeddings import embed_test_faces
from flows.evaluate.results import Asked, Figure
from pipeline import schema
from pipeline.faces import given_landmarks
from pipeline.faces.protocols import FaceEmbedder
from pipeline.sources.test_sets import ijb
from pipeline.tables.build import Workers, build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table
from trainer.evaluation.templates import Rate, Templates, one_to_many, one_to_one, pool

log = logging.getLogger("refinery")


def measure(
    root: str,
    models: Mapping[str, FaceEmbedder],
    path: str,
    *,
    norm: bool = True,
    detector_score: bool = True,
    draws: int = 1000,
    seed: int = 0,
    workers: Workers = None,
) -> tuple[list[Figure], Asked]:
    """The figures of each model on an IJB set, and what was asked. Photos that give no face are left out and told.

    norm, detector_score: what faces are weighed by (see templates.pool). Raises UserError for a set that is not whole.
    """
    lists, folder = ijb.read_lists(path), Path(path).absolute() / ijb.PHOTOS
    faces = build(
        root,
        "faces",
        given_landmarks.cut_shard,
        ijb.parts(path, lists),
        schema=schema.FACES,
        workers=workers,
        unnamed={"folder": str(folder)},
    )
    found: list[Figure] = []
    for title, embedder in models.items():
        x = _faces(embed_test_faces(root, faces, embedder, workers=workers), lists)
        templates = pool(x, lists.template, lists.medium, score=lists.score if detector_score else None, norm=norm)
        log.info("%s: %s, %d templates", lists.name, title, len(templates.ids))
        found += _figures(lists, title, templates, draws=draws, seed=seed)
    lost = sum(rows["jpeg"].null_count for rows in faces.batches(["jpeg"]))
    log.info("%s: %d template pairs of %d photos, %d without a face", lists.name, len(lists.pairs), len(faces), lost)
    return found, Asked(lists.name, str(Path(path)), len(lists.pairs), int(lists.pairs[:, 2].sum()), 0)


def _faces(table: Table, lists: ijb.IjbLists) -> NDArray[np.float32]:
    """The vector of each face row [n, d], as long as the network made it; nan where there is no face."""
    ids, x = [], []
    for part in table.batches(["face_id", "x", "norm"]):
        made, there = vectors(part["x"])
        long = made.astype(np.float32) * part["norm"].fill_null(0).to_numpy()[:, None].astype(np.float32)
        long[~there] = np.nan
        ids += part["face_id"].to_pylist()
        x.append(long)
    place = {name: i for i, name in enumerate(ids)}
    rows: NDArray[np.float32] = np.concatenate(x)[[place[given_landmarks.face_id(photo)] for photo in lists.photos]]
    return rows


def _figures(lists: ijb.IjbLists, title: str, templates: Templates, *, draws: int, seed: int) -> Iterator[Figure]:
    verified = one_to_one(templates, lists.pairs[:, 0], lists.pairs[:, 1], lists.pairs[:, 2] == 1)
    for far, rate in verified.tar.items():
        yield _figure(lists.name, f"TAR@FAR={far:g}", title, rate)
    for name, subjects in lists.galleries.items():
        gallery, probes = (_listed(templates, s, name) for s in (subjects, lists.probes))
        searched = one_to_many(probes, gallery, samples=draws, seed=seed)
        for k, rate in searched.ranks.items():
            yield _figure(lists.name, f"{name} rank-{k}", title, rate)
        for fpir, rate in searched.tpir.items():
            yield _figure(lists.name, f"{name} TPIR@FPIR={fpir:g}", title, rate)


def _listed(templates: Templates, subjects: Mapping[int, int], name: str) -> Templates:
    """The templates that a list names, with the subjects it gives them."""
    ids = np.array(sorted(subjects), np.int64)
    rows = templates.rows(ids, f"the 1:N list {name}")
    return Templates(ids, templates.x[rows], np.array([subjects[i] for i in ids.tolist()], np.int64))


def _figure(test: str, figure: str, model: str, rate: Rate) -> Figure:
    drawn = not np.isnan(rate.low)
    return Figure(
        test, figure, model, "", rate.value, rate.low if drawn else None, rate.high if drawn else None, rate.warning
    )
