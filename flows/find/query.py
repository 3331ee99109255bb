"""The query: the main face in the photo of the person to find, aligned."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.errors import UserError
from pipeline.faces.align import SIZE, NoFace, align_main_face
from pipeline.faces.picture import Image, UnreadablePhoto, decode
from pipeline.faces.protocols import FaceDetector


class QueryFace(NamedTuple):
    """The aligned main face of the query photo [112, 112, 3], and how many faces that photo shows."""

    face: Image
    faces: int


def read_face(photo: Path, detector: FaceDetector, *, aligned: bool) -> QueryFace:
    """The main face of a photo; aligned: the photo is an aligned crop. Raises UserError where it shows no face."""
    try:
        image = decode(photo.read_bytes())
        if aligned:
            crop = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            return QueryFace(np.asarray(crop, np.uint8), 1)
        face, faces, _ = align_main_face(image, detector(image))
        return QueryFace(face, len(faces.scores))
    except OSError as error:
        raise UserError(f"cannot read {photo} ({error.strerror or error}): give a photo") from None
    except (UnreadablePhoto, NoFace) as error:
        raise UserError(f"{photo} shows no face ({error}): give another photo, or another --detector") from None
