"""A refined data set on disk, opened for training: labels are known at once, pictures are read chunk by chunk.

The labels give the number of classes. The order in which chunks are read is decided elsewhere (see windows).
"""

from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from trainer.data.parquet_faces import ParquetFaces, parquet_files
from trainer.data.record_faces import RecordFaces

Faces = ParquetFaces | RecordFaces


def open_faces(path: str | Path) -> Faces:
    """The data set at a path: a folder of `refinery export` (Parquet or RecordIO), a .rec, or a table's manifest.

    Raises UserError when there is none, and for one that cannot be trained on: without photos, of one class, with one
    photo in each class, or with labels other than 0, 1, 2...
    """
    place = Path(path)
    if not place.exists():
        raise UserError(f"there is no {place}: give a folder that `refinery export` wrote")
    records = [place] if place.suffix == ".rec" else sorted(place.glob("*.rec"))
    faces = RecordFaces(records[0]) if records else ParquetFaces(place, parquet_files(place))
    _check(faces)
    return faces


def count_classes(faces: Faces) -> int:
    """How many classes a data set has: its labels are 0, 1, 2... without a gap."""
    return int(faces.labels.max()) + 1


def _check(faces: Faces) -> None:
    labels = faces.labels
    if not len(labels):
        raise UserError(f"{faces.path} holds no photo: there is nothing to train on")
    in_range = labels[(labels >= 0) & (labels < len(labels))]  # all of them, where there is no gap
    counts = np.bincount(in_range, minlength=1)
    if len(in_range) < len(labels) or not counts.all():
        wrong = int(labels.min()) if labels.min() < 0 else int(counts.argmin()) if not counts.all() else len(counts)
        raise UserError(f"the labels in {faces.path} are not 0, 1, 2... without a gap (label {wrong}): export it again")
    if len(counts) < 2:
        raise UserError(f"{faces.path} holds one class: training takes two people or more")
    if counts.max() == 1:
        raise UserError(f"every class in {faces.path} has a single photo: training takes several photos of a person")
