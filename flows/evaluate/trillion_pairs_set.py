"""Trillion-Pairs in `refinery evaluate`: its answers were never published, so what is made is the file of vectors.

One file a model, in the order of the list and with as many rows: zeros where a photo gives no face.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from flows.evaluate.embeddings import embed_test_faces, unit_rows
from flows.evaluate.results import Asked
from pipeline import schema
from pipeline.faces import given_landmarks
from pipeline.faces.protocols import FaceEmbedder
from pipeline.sources.test_sets import megaface_devkit, trillion_pairs
from pipeline.tables.build import Workers, build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table

log = logging.getLogger("refinery")


def write(root: str, models: Mapping[str, FaceEmbedder], path: str, *, features: str, workers: Workers = None) -> Asked:
    """Write the vectors of each model to features/<set>_<model>.bin; what was asked is how many photos gave no face.

    Raises UserError for a list that is none.
    """
    folder = trillion_pairs.folder(path)
    faces = build(
        root,
        "faces",
        given_landmarks.cut_listed_shard,
        trillion_pairs.parts(path),
        schema=schema.FACES,
        workers=workers,
        unnamed={"folder": str(folder)},
    )
    lost = sum(rows["jpeg"].null_count for rows in faces.batches(["jpeg"]))
    for title, embedder in models.items():
        table = embed_test_faces(root, faces, embedder, workers=workers)
        file = Path(features, f"{folder.name}_{title}.bin")
        megaface_devkit.write_vectors(file, _units(table), rows=len(table), dim=embedder.dim)
        log.info("%s: %d vectors to hand in, %d of them zeros for want of a face", file, len(table), lost)
    return Asked(folder.name, str(folder), 0, 0, lost)


def _units(table: Table) -> Iterator[NDArray[Any]]:
    for rows in table.batches(["x"]):
        yield unit_rows(vectors(rows["x"])[0])
