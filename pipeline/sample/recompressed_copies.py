"""Copies of a data set as they are passed around: the same photos at another size and JPEG quality, perhaps renamed.

A file that is no picture is copied as it is. Which file of the copy is which photo is written beside the photos.
"""

import csv
from pathlib import Path

import cv2
import numpy as np

from pipeline.sample.photo_bytes import encode
from pipeline.schema import digest

NAMES = "names.tsv"  # the columns key and copy: a photo's key in the data set, and in the copy
PHOTOS = "photos"  # the folder of the copy's photos


def recompressed_copy(photos: Path, folder: Path, *, quality: int, scale: float, renamed: bool) -> None:
    """Write a copy of the photos below `photos` to the new folder `folder`.

    quality: of the JPEG files; scale: of the sides; renamed: whether identities and files get other names, by which the
    photos of an identity come in another order.
    """
    keys = sorted(str(path.relative_to(photos)) for path in photos.rglob("*") if path.is_file())
    names = _other_names(keys) if renamed else dict(zip(keys, keys, strict=True))
    for key in keys:
        file = folder / PHOTOS / names[key]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_recompressed((photos / key).read_bytes(), quality=quality, scale=scale))
    with open(folder / NAMES, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter="\t").writerows([("key", "copy"), *names.items()])


def read_names(folder: Path) -> dict[str, str]:
    """The key of each photo in a copy, by its key in the data set."""
    with open(folder / NAMES, newline="", encoding="utf-8") as stream:
        return {row["key"]: row["copy"] for row in csv.DictReader(stream, delimiter="\t")}


def _other_names(keys: list[str]) -> dict[str, str]:
    """Another key for each: the identity as a digest, the photos of an identity numbered in the order of theirs."""
    names: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for key in sorted(keys, key=digest):
        identity = digest(str(Path(key).parent))[:10]
        numbers[identity] = numbers.get(identity, 0) + 1
        names[key] = f"{identity}/{numbers[identity]:05d}.jpg"
    return names


def _recompressed(data: bytes, *, quality: int, scale: float) -> bytes:
    """A photo at another size and quality; bytes that are no picture as they are."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if pixels is None:
        return data
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return encode(np.asarray(cv2.resize(pixels, (width, height), interpolation=method), np.uint8), quality)
