"""Faces tables of test sets whose lists give the landmarks: faces are cut by these, without a detector."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.faces.align import align_face
from pipeline.faces.picture import UnreadablePhoto, decode, to_jpeg
from pipeline.sources.test_sets import trillion_pairs
from pipeline.sources.test_sets.landmarks import LandmarkedPhoto

SOURCE = "ijb"  # the source in every face_id of these tables


def face_id(path: str) -> str:
    """The face_id of a photo by its path in the list."""
    return schema.face_id(SOURCE, path)


def cut_shard(part: Sequence[LandmarkedPhoto], *, folder: str) -> pa.Table:
    """The faces of some photos in a folder, row by row; a photo that gives no face keeps its row with the reason."""
    rows = [_cut(photo, folder) for photo in part]
    return pa.Table.from_pylist(rows, schema=schema.FACES)


def cut_listed_shard(part: trillion_pairs.Part, *, folder: str) -> pa.Table:
    """The faces of some lines of Trillion-Pairs' list in a folder, row by row."""
    return cut_shard(trillion_pairs.read_part(folder, part), folder=folder)


def _cut(photo: LandmarkedPhoto, folder: str) -> dict[str, Any]:
    row: dict[str, Any] = {"face_id": face_id(photo.path), "landmarks": photo.landmarks}
    try:
        if Path(photo.path).is_absolute() or ".." in Path(photo.path).parts or "\0" in photo.path:
            raise UnreadablePhoto("its name leads out of the folder")
        image = decode(Path(folder, photo.path).read_bytes())
        row["jpeg"] = to_jpeg(align_face(image, np.array(photo.landmarks, np.float64).reshape(5, 2)))
    except (OSError, UnreadablePhoto) as error:
        row["failure"] = f"unreadable: {error}"
    except (ValueError, cv2.error) as error:
        row["failure"] = f"no_face: {error}"
    return row
