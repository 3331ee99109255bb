"""Embeddings of a test set's faces by the model that is measured, kept as a table like any other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.refine.models import is_checkpoint
from flows.refine.tables import build_embeddings
from pipeline.faces.embed import BATCH
from pipeline.faces.protocols import FaceEmbedder
from pipeline.tables.build import Workers
from pipeline.tables.table import Table

CHECKPOINT_BATCH = 128  # faces that a network in PyTorch gets at a time


def embed_test_faces(root: str, faces: Table, embedder: FaceEmbedder, *, workers: Workers = None) -> Table:
    """The embeddings table of a test set's faces by a model, built once and found again."""
    batch = CHECKPOINT_BATCH if is_checkpoint(embedder.model) else BATCH
    return build_embeddings(root, faces, embedder, workers=workers, batch=batch)


def unit_rows(x: NDArray[Any]) -> NDArray[np.float32]:
    """The rows of x [n, d] scaled to length 1, in single precision; rows of zeros stay zeros."""
    rows = x.astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows
