"""Trillion-Pairs in `refinery evaluate`: writes embeddings to submit, because its identities were never published.

One file a model, with a row for each photo of the list, in its order; zeros where no face was found.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.embeddings import embed_test_faces, unit_rows
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.pair_sets import without_face
from flows.evaluate.results import MeasuredTestSet, Measurement
from pipeline import schema
from pipeline.faces import listed_landmarks
from pipeline.faces.protocols import FaceEmbedder
from pipeline.sources.test_sets import megaface_devkit, trillion_pairs
from pipeline.tables.build import build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table

log = logging.getLogger("refinery")


def write_submissions(root: str, models: Mapping[str, FaceEmbedder], path: str, options: MeasureOptions) -> Measurement:
    """Write each model's embeddings to options.features/<set>_<model>.bin; the measurement has no figures.

    Raises UserError for a file that is not such a list.
    """
    folder = trillion_pairs.folder(path)
    faces = build(
        root,
        "faces",
        listed_landmarks.align_trillion_pairs_shard,
        trillion_pairs.parts(path),
        schema=schema.FACES,
        workers=options.workers,
        unhashed={"folder": str(folder)},
    )
    missing = without_face(faces)
    for title, embedder in models.items():
        table = embed_test_faces(root, faces, embedder, workers=options.workers)
        file = Path(options.features, f"{folder.name}_{title}.bin")
        megaface_devkit.write_embeddings(file, _unit_embeddings(table), rows=len(table), dim=embedder.dim)
        log.info("%s: %d embeddings to submit, %d of them zeros because there is no face", file, len(table), missing)
    return Measurement(MeasuredTestSet(folder.name, str(folder), 0, 0, missing), [])


def _unit_embeddings(table: Table) -> Iterator[NDArray[np.float32]]:
    """Unit embeddings [n, d], part by part; zeros where there is no face."""
    for rows in table.batches(["x"]):
        yield unit_rows(vectors(rows["x"])[0])
