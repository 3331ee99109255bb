"""The bytes of planted files: edited copies, photos of several people, and files without a face."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.sample.cases.group_photos import FACE, Image, compose, draw_layout
from pipeline.sample.cases.picture_edits import EDITS, Box, Original
from pipeline.sample.photo_bytes import PAGE, scenery_jpeg
from pipeline.sample.planting.planted_files import JUNK

CUT_SHORT = 0.4  # share of its bytes that a truncated file has
MIN_SIDE = 48  # pixels of a photo that is edited: of a smaller one hardly a face is left
WRONG = 0.3  # share of the group photos in which a detector's usual rule takes another person's face
ALIGNED_EDITS = tuple(
    name
    for name in EDITS  # those that leave an aligned face where it is
    if name not in ("border", "crop", "tight-crop", "thumbnail", "mirrored-crop")
)


class FacePhoto(NamedTuple):
    """A photo that is edited: its bytes, its pixels [h, w, 3] in BGR, and the box of its face."""

    data: bytes
    pixels: Image
    face: Box


def edited(photo: FacePhoto, edit: str, rng: np.random.Generator) -> bytes:
    """The photo after one of EDITS."""
    return EDITS[edit](Original(*photo), rng)


def group_photo(photos: Sequence[FacePhoto], rng: np.random.Generator) -> bytes:
    """The faces of several photos side by side, the first one's person among them: see cases/group_photos.py."""
    layout = draw_layout(len(photos), wrong=bool(rng.random() < WRONG), rng=rng)
    return compose([face_square(photo) for photo in photos], layout)


def face_square(photo: FacePhoto) -> Image:
    """The square around a face of which the face takes a share FACE, as far as it lies in the photo."""
    height, width = photo.pixels.shape[:2]
    x1, y1, x2, y2 = photo.face
    side = max(8, min(height, width, round(max(x2 - x1, y2 - y1) / FACE)))
    left = int(np.clip(round((x1 + x2) / 2 - side / 2), 0, width - side))
    top = int(np.clip(round((y1 + y2) / 2 - side / 2), 0, height - side))
    return np.asarray(photo.pixels[top : top + side, left : left + side], np.uint8)


def junk(what: str, rng: np.random.Generator, photo: bytes = b"") -> bytes:
    """A file that shows no face; what: one of JUNK; photo: the bytes that a truncated one is cut from."""
    empty, page, truncated, no_face = JUNK
    if what == empty:
        return b""
    if what == page:
        return PAGE
    if what == truncated:
        return photo[: int(CUT_SHORT * len(photo))]
    assert what == no_face, what  # noqa: S101  of the plan
    return scenery_jpeg(rng)
