"""Faces tables of test sets that come with a list of landmarks: faces are aligned by these, without a detector."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.faces.align import align_face
from pipeline.faces.picture import UnreadablePhoto, check_file_size, decode, encode_jpeg
from pipeline.sources.files import is_fault_of_file, unreachable, with_source_retries
from pipeline.sources.photo import PhotoChanged
from pipeline.sources.test_sets import trillion_pairs
from pipeline.sources.test_sets.landmarks import LandmarkedPhoto

SOURCE = "ijb"  # in every face_id of these tables, whichever the test set


def face_id(path: str) -> str:
    """The face_id of a photo; path: the photo's path in the list."""
    return schema.face_id(SOURCE, path)


def align_shard(part: Sequence[LandmarkedPhoto], *, folder: str) -> pa.Table:
    """A row of the faces table for each photo; for a photo without a face with the reason in `failure`.

    folder: the photos' paths are relative to it.
    """
    rows = [_align(photo, folder) for photo in part]
    return pa.Table.from_pylist(rows, schema=schema.FACES)


def align_trillion_pairs_shard(part: trillion_pairs.Part, *, folder: str) -> pa.Table:
    """A row of the faces table for each photo of one part of Trillion-Pairs' list; folder: of the list and photos."""
    return align_shard(trillion_pairs.read_part(folder, part), folder=folder)


def _align(photo: LandmarkedPhoto, folder: str) -> dict[str, Any]:
    row: dict[str, Any] = {"face_id": face_id(photo.path), "landmarks": photo.landmarks}
    try:
        if Path(photo.path).is_absolute() or ".." in Path(photo.path).parts or "\0" in photo.path:
            raise UnreadablePhoto("its name leads out of the folder")
        file = Path(folder, photo.path)
        image = decode(with_source_retries(folder, lambda: _read(file, folder)))
        row["jpeg"] = encode_jpeg(align_face(image, np.array(photo.landmarks, np.float64).reshape(5, 2)))
    except (PhotoChanged, UnreadablePhoto) as error:
        row["failure"] = f"unreadable: {error}"
    except (ValueError, cv2.error) as error:
        row["failure"] = f"no_face: {error}"
    return row


def _read(file: Path, folder: str) -> bytes:
    """The bytes of a photo. Raises PhotoChanged where it is not there, SourceUnreachable where its disk is ill."""
    try:
        check_file_size(file.stat().st_size)
        return file.read_bytes()
    except OSError as error:
        if not is_fault_of_file(error, file, folder):
            raise unreachable(error, file) from None
        raise PhotoChanged(str(error)) from None
