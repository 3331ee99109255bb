"""The bytes of a world's photos: drawn pictures, duplicates as the web makes them, and junk files."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.drawing.portraits import DrawnPhoto, draw_portrait
from pipeline.sample.drawing.scenery import draw_scenery
from pipeline.sample.people import make_person
from pipeline.sample.world_plan import Picture, PlannedPhoto

QUALITY = 92  # JPEG quality of the files; the drawn camera has compressed the picture once before, at another quality
PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"


def photo_bytes(seed: int, photo: PlannedPhoto) -> bytes:
    """The bytes of a photo in the world of a seed; every process gets the same bytes."""
    rng = np.random.default_rng([41, seed, *photo.path.encode()])
    if photo.picture is None:
        return _junk(photo.junk, rng)
    drawn = draw_picture(seed, photo.picture)
    if not photo.duplicate_number:
        return encode(drawn.photo)
    return _duplicate(drawn, rng)


def draw_picture(seed: int, picture: Picture) -> DrawnPhoto:
    """A picture of the world of a seed, with its boxes and landmarks."""
    rng = np.random.default_rng([42, seed, picture.person, picture.number])
    bystanders = [make_person(seed, number) for number in picture.bystanders]
    return draw_portrait(make_person(seed, picture.person), rng, bystanders=bystanders)


def encode(pixels: NDArray[np.uint8], quality: int = QUALITY) -> bytes:
    """A picture [h, w, 3] (BGR) as JPEG."""
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def _duplicate(drawn: DrawnPhoto, rng: np.random.Generator) -> bytes:
    """A duplicate of a picture: cropped, made smaller (and sometimes larger again), brighter or darker, compressed."""
    pixels = drawn.photo
    if rng.random() < 0.6:
        pixels = _crop(pixels, drawn, rng)
    height, width = pixels.shape[:2]
    if rng.random() < 0.6:
        scale = float(rng.uniform(0.55, 0.95))
        pixels = _resized(pixels, round(width * scale), round(height * scale))
        if rng.random() < 0.35:  # a thumbnail enlarged again
            pixels = _resized(pixels, width, height)
    if rng.random() < 0.4:
        adjusted = pixels * float(rng.uniform(0.85, 1.15)) + float(rng.uniform(-10, 10))
        pixels = np.clip(adjusted, 0, 255).astype(np.uint8)
    return encode(pixels, int(rng.integers(35, 90)))


def _crop(pixels: NDArray[np.uint8], drawn: DrawnPhoto, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture with up to an eighth cut off at each side; the whole face of its subject stays."""
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in drawn.boxes[0])
    margins = np.minimum(
        (max(x1, 0), max(y1, 0), max(width - x2, 0), max(height - y2, 0)), np.array([width, height] * 2) / 8
    )
    left, top, right, bottom = (int(n) for n in margins * rng.random(4))
    return pixels[top : height - bottom, left : width - right]


def _resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    smaller = width < pixels.shape[1]
    return np.asarray(
        cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.uint8
    )


def _junk(kind: str, rng: np.random.Generator) -> bytes:
    if kind == "empty":
        return b""
    if kind == "page":
        return PAGE
    jpeg = scenery_jpeg(rng)
    return jpeg[: len(jpeg) * 2 // 5] if kind == "cut" else jpeg


def scenery_jpeg(rng: np.random.Generator) -> bytes:
    """Scenery without a person, as JPEG."""
    light = np.clip(draw_scenery(rng, 260, 300), 0, 1) ** (1 / 2.2)
    return encode((255 * light).astype(np.uint8))
