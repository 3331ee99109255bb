"""Small sets of labelled faces in memory, their embeddings by a trained model, and the toy network of Figure 3."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from flows.benchmark.training import train_once
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.faces.protocols import FaceEmbedder
from trainer.run import Run

BATCH = 64
Rows = NDArray[np.float32]
Labels = NDArray[np.int64]


class LabelledFaces(NamedTuple):
    """JPEGs of aligned faces [n], and the number of each face's person [n], from 0."""

    jpegs: list[bytes]
    label: Labels

    @property
    def people(self) -> int:
        """How many people the faces show."""
        return int(self.label.max()) + 1


def read_training_faces(data: Path) -> LabelledFaces:
    """All faces of a refined table."""
    from trainer.data.data_set import open_faces

    faces = open_faces(data)
    chunks = [faces.read(i) for i in range(len(faces.chunk_sizes))]
    return LabelledFaces([jpeg for c in chunks for jpeg in c.jpeg], np.concatenate([c.label for c in chunks]))


def read_test_faces(folder: Path) -> LabelledFaces:
    """The faces of people with two photos or more in a prepared test set. Raises UserError for fewer than two."""
    rows = pq.read_table(folder / "faces.parquet", columns=["jpeg", "identity"])
    rows = rows.filter(rows["jpeg"].is_valid())
    rows = rows.filter(rows["identity"].is_valid())
    names, code, photos = np.unique(rows["identity"].to_pylist(), return_inverse=True, return_counts=True)
    several = photos[code] > 1
    if (photos > 1).sum() < 2:
        raise UserError(f"{folder} names {len(names)} people, fewer than two with two photos: give a folder of people")
    jpegs = [jpeg for jpeg, kept in zip(rows["jpeg"].to_pylist(), several, strict=True) if kept]
    return LabelledFaces(jpegs, np.unique(code[several], return_inverse=True)[1].astype(np.int64))


def embed_jpegs(embedder: FaceEmbedder, jpegs: Sequence[bytes]) -> Rows:
    """Unit embeddings [n, d] of JPEGs."""
    parts = []
    for start in range(0, len(jpegs), BATCH):
        batch = jpegs[start : start + BATCH]
        parts.append(embedder(np.stack([cv2.imdecode(np.frombuffer(j, np.uint8), cv2.IMREAD_COLOR) for j in batch])))
    x = np.concatenate(parts)
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)


def classifier_weights(checkpoint: Path) -> Rows | None:
    """A checkpoint's class weights [c, d]; None where the loss has no such matrix."""
    from trainer.checkpoint import load

    weight = load(checkpoint).objective.get("weight")
    return None if weight is None or weight.ndim != 2 else np.asarray(weight.float().numpy(), np.float32)


class ToyModel(NamedTuple):
    """Unit embeddings [n, 2] of a few people's photos, their labels [n], and the class weights [people, 2]."""

    x: Rows
    label: Labels
    weights: Rows | None


def train_toy(root: str, run: Run, faces: LabelledFaces, device: str, *, people: int) -> ToyModel:
    """A network of two-dimensional embeddings, trained on the people with the most photos.

    run: loss and updates; people: how many. Raises UserError where there are fewer people.
    """
    largest = np.argsort(-np.bincount(faces.label), kind="stable")[:people]
    if len(largest) < people:
        raise UserError(f"the refined data hold {len(largest)} people: Figure 3 takes {people}")
    rows = np.flatnonzero(np.isin(faces.label, largest))
    rank_of_person = np.argsort(np.argsort(largest))
    label = rank_of_person[np.searchsorted(np.sort(largest), faces.label[rows])]
    jpegs = [faces.jpegs[i] for i in rows]
    folder = Path(root).absolute() / "trainings" / "toy"
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"label": pa.array(label, pa.int64()), "jpeg": pa.array(jpegs, pa.binary()), "key": list(map(str, rows))}
    pq.write_table(pa.table(columns), folder / "part-00000.parquet")
    model = train_once(root, replace(run, embedding=2, augment=0.0), folder, device)
    embedder = load_embedder(str(model.checkpoint))
    return ToyModel(embed_jpegs(embedder, jpegs), label, classifier_weights(model.checkpoint))
