"""Photos to measure with: those of a source, and any number of further ones that are made by changing them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from pipeline.errors import UserError
from pipeline.faces.picture import Image, UnreadablePhoto, decode, encode_jpeg
from pipeline.schema import digest
from pipeline.sources.kinds import source_format

NO_NUMBERS: list[int] = []  # never changed
SourceKind = Annotated[
    str, typer.Argument(metavar="SOURCE", help="Kind of the source, such as image-folder or record-io.")
]
SourcePath = Annotated[str, typer.Argument(metavar="PATH", help="Photos to measure with.")]
TotalPhotos = Annotated[
    list[int],
    typer.Option(help="Number of photos to refine, made of those in PATH by changing them; may be repeated."),
]


def read_photos(kind: str, path: str, count: int) -> list[bytes]:
    """The files of the first `count` photos of a source. Raises UserError where there is none."""
    photos = []
    for _, data in _photos(kind, path):
        photos.append(data)
        if len(photos) >= count:
            break
    if not photos:
        raise UserError(f"no photo in {path} can be read: give a source that holds some")
    return photos


def write_varied_photos(kind: str, path: str, out: Path, count: int) -> Path:
    """Write `count` photos to a folder, and return it: those of a source, then the same changed, under new identities.

    Each further round changes every photo in another way. Raises UserError for a source without a readable photo.
    """
    written, turn = 0, 0
    while written < count:
        written_before = written
        for identity, data in _photos(kind, path):
            if written < count and (image := decode_or_none(data)) is not None:
                folder = out / f"{digest('name', identity or '')[:12]}-{turn}"
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{written}.jpg").write_bytes(encode_jpeg(_vary(image, written) if turn else image))
                written += 1
        if written == written_before:
            raise UserError(f"no photo in {path} can be read: give a source that holds some")
        turn += 1
    return out


def write_scaled_photos(kind: str, path: str, out: Path, side_px: int) -> Path:
    """Write the photos of a source to a folder, their longer side scaled to so many pixels, and return it.

    Raises UserError for a source without a readable photo.
    """
    for number, (identity, data) in enumerate(_photos(kind, path)):
        if (image := decode_or_none(data)) is not None:
            folder = out / digest("name", identity or "")[:12]
            folder.mkdir(parents=True, exist_ok=True)
            scale = side_px / max(image.shape[:2])
            scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            (folder / f"{number}.jpg").write_bytes(encode_jpeg(np.asarray(scaled, np.uint8)))
    if not out.exists():
        raise UserError(f"no photo in {path} can be read: give a source that holds some")
    return out


def decode_or_none(data: bytes) -> Image | None:
    """The picture in a file, or None where it cannot be decoded."""
    try:
        return decode(data)
    except UnreadablePhoto:
        return None


def _photos(kind: str, path: str) -> Iterator[tuple[str | None, bytes]]:
    """The identity and the bytes of every photo of a source that can be read."""
    module = source_format(kind)
    for part in module.parts(path):
        for photo in module.index(part):
            if photo.failure is None:
                yield photo.identity, module.read(path, photo)


def _vary(image: Image, seed: int) -> Image:
    """A picture [h, w, 3] changed as if taken again: mirrored, turned, scaled, bent in waves, lighter or darker.

    Without the waves a changed photo would be found as a duplicate, and duplicates take other work than photos.
    """
    random = np.random.default_rng(seed)
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-12, 12), random.uniform(0.85, 1.15))
    mirrored = image[:, :: random.choice((-1, 1))]
    moved = cv2.warpAffine(mirrored, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wave, (shift_x, shift_y) = 0.02 * max(height, width), random.uniform(0, 2 * np.pi, 2).astype(np.float32)
    length = np.float32(8 * np.pi / max(height, width))
    bent_x, bent_y = x + wave * np.sin(length * y + shift_x), y + wave * np.sin(length * x + shift_y)
    bent = cv2.remap(moved, bent_x, bent_y, cv2.INTER_LINEAR)
    lit = cv2.convertScaleAbs(bent, alpha=random.uniform(0.7, 1.3), beta=random.uniform(-20, 20))
    return np.asarray(lit, np.uint8)
