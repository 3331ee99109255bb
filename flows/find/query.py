"""The query: the main face in the photo of the person to find, aligned."""

from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.faces.align import NoFace, align_main_face, fit_aligned_crop
from pipeline.faces.picture import Image, UnreadablePhoto, check_file_size, decode
from pipeline.faces.protocols import FaceDetector


class QueryFace(NamedTuple):
    """The aligned main face of the query photo [112, 112, 3], and how many faces that photo shows."""

    face: Image
    faces: int


def read_face(photo: Path, detector: FaceDetector, *, aligned: bool) -> QueryFace:
    """The main face of a photo; aligned: the photo is an aligned crop. Raises UserError where it shows no face."""
    try:
        check_file_size(photo.stat().st_size)
        image = decode(photo.read_bytes())
        if aligned:
            return QueryFace(fit_aligned_crop(image), 1)
        face, faces, _ = align_main_face(image, detector(image))
        return QueryFace(face, len(faces.scores))
    except OSError as error:
        raise UserError(f"cannot read {photo} ({error.strerror or error}): give a photo") from None
    except (UnreadablePhoto, NoFace) as error:
        raise UserError(f"{photo} shows no face ({error}): give another photo, or another --detector") from None
