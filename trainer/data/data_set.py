"""Opens a refined data set on disk for training, and checks its labels.

All labels are read at once, which gives the number of classes. Pictures are read later, chunk by chunk, in the order
that windows.py decides.
"""

from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from trainer.data.parquet_faces import ParquetFaces, parquet_faces
from trainer.data.record_faces import RecordFaces

Faces = ParquetFaces | RecordFaces


def open_faces(path: str | Path) -> Faces:
    """The data set at a path: a folder of `refinery export` (Parquet or RecordIO), a .rec, or a table's manifest.

    Raises UserError when there is no data set, and when it cannot be trained on: it has no photos, one class only, one
    photo in each class, or labels other than 0, 1, 2...; and for a folder with several .rec, whose labels may be those
    of different people.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"there is no {path}: give a folder that `refinery export` wrote")
    record_files = [path] if path.suffix == ".rec" else sorted(path.glob("*.rec"))
    if len(record_files) > 1:
        names = ", ".join(file.name for file in record_files[:3]) + ", ..." * (len(record_files) > 3)
        raise UserError(f"{path} holds {len(record_files)} .rec files ({names}): give the one to train on by its path")
    faces = RecordFaces(record_files[0]) if record_files else parquet_faces(path)
    _check_labels(faces)
    return faces


def count_classes(faces: Faces) -> int:
    """The number of classes of a data set, whose labels are 0, 1, 2... without a gap."""
    return int(faces.labels.max()) + 1


def identity_names(faces: Faces) -> tuple[str, ...]:
    """The identity of each class; () where the data set does not name them all."""
    names = faces.names
    return tuple(names[label] for label in range(count_classes(faces))) if len(names) == count_classes(faces) else ()


def _check_labels(faces: Faces) -> None:
    labels = faces.labels
    if not len(labels):
        raise UserError(f"{faces.path} holds no photo: there is nothing to train on")
    in_range = labels[(labels >= 0) & (labels < len(labels))]  # all labels, when there is no gap between them
    counts = np.bincount(in_range, minlength=1)
    if len(in_range) < len(labels) or not counts.all():
        wrong = int(labels.min()) if labels.min() < 0 else int(counts.argmin()) if not counts.all() else len(counts)
        raise UserError(f"the labels in {faces.path} are not 0, 1, 2... without a gap (label {wrong}): export it again")
    if len(counts) < 2:
        raise UserError(f"{faces.path} holds one class: a training needs two people or more")
    if counts.max() == 1:
        raise UserError(f"every class in {faces.path} has a single photo: a training needs several photos of a person")
