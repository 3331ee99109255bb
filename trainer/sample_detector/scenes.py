"""Scenes that the detector is trained on: photos that are scaled, turned, shifted and recoloured on a square canvas.

A scene shows one photo, or a grid of four or nine; faces are never cut off. Hard negatives are made from faces: heads
whose eyes, nose and mouth are blurred or moved to other positions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # [h, w, 3] BGR
MIRRORED = [1, 0, 2, 4, 3]  # order of the landmarks (two eyes, nose, two corners of the mouth) in a mirrored photo
MIN_FACE, MAX_FACE = 20, 260  # longer side of a face in pixels
MAX_TURN = 12.0  # degrees, to either side
# shares of the scenes with 1x1, 2x2 and 3x3 photos: few have nine, whose small faces would be most of all faces
GRID_SHARES = (0.6, 0.35, 0.05)
FACELESS = 0.2  # share of the photos whose faces are removed


class Photo(NamedTuple):
    """A picture and its k faces: boxes [k, 4] as x1, y1, x2, y2 and landmarks [k, 5, 2] as x, y, in pixels."""

    picture: Picture
    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def make_scene(photos: Sequence[Photo], side: int, rng: np.random.Generator) -> Photo:
    """A scene of side x side pixels with one, four or nine of the photos, which are chosen at random."""
    canvas = np.full((side, side, 3), (0, 127, rng.integers(256))[rng.integers(3)], np.uint8)
    per_row = int(rng.choice((1, 2, 3), p=GRID_SHARES))
    cell = side // per_row
    boxes: list[NDArray[np.float32]] = [np.zeros((0, 4), np.float32)]
    landmarks: list[NDArray[np.float32]] = [np.zeros((0, 5, 2), np.float32)]
    for y, x in np.ndindex(per_row, per_row):
        photo = photos[int(rng.integers(len(photos)))]
        if rng.random() < FACELESS:
            photo = remove_faces(photo, rng)
        placed = place_on_canvas(mirror(photo) if rng.random() < 0.5 else photo, cell, rng, colour=canvas[0, 0])
        canvas[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell] = recolour(placed.picture, rng)
        corner = np.array([x * cell, y * cell], np.float32)
        boxes.append(placed.boxes + np.tile(corner, 2))
        landmarks.append(placed.landmarks + corner)
    return Photo(canvas, np.concatenate(boxes), np.concatenate(landmarks))


def mirror(photo: Photo) -> Photo:
    """The photo mirrored left to right; its left and right landmarks are exchanged."""
    width = photo.picture.shape[1]
    boxes, landmarks = photo.boxes.copy(), photo.landmarks[:, MIRRORED].copy()
    boxes[:, [0, 2]] = width - photo.boxes[:, [2, 0]]
    landmarks[..., 0] = width - 1 - landmarks[..., 0]
    return Photo(np.ascontiguousarray(photo.picture[:, ::-1]), boxes, landmarks)


def place_on_canvas(photo: Photo, side: int, rng: np.random.Generator, *, colour: Picture) -> Photo:
    """The photo, turned, scaled and shifted at random, on a square of side x side pixels that contains all its faces.

    colour [3]: BGR, of the parts that the photo does not cover.
    """
    height, width = photo.picture.shape[:2]
    if len(photo.boxes):
        low, high = photo.boxes[:, :2].min(0), photo.boxes[:, 2:].max(0)
        face = (photo.boxes[:, 2:] - photo.boxes[:, :2]).max()
    else:
        low, high, face = np.array([0, 0]), np.array([width, height]), max(height, width) / 2
    all_faces = (high - low).max() * 1.15  # with room for the turn
    max_scale = min(side / all_faces, MAX_FACE / face)
    min_scale = min(MIN_FACE / face, max_scale)
    # the square root makes large scales more frequent: small faces are in the scenes of four and nine photos
    scale = min_scale * (max_scale / min_scale) ** np.sqrt(rng.random())
    matrix = cv2.getRotationMatrix2D(tuple(map(float, (low + high) / 2)), rng.uniform(-MAX_TURN, MAX_TURN), scale)
    room = np.maximum(side - all_faces * scale, 0) / 2
    matrix[:, 2] += side / 2 - (low + high) / 2 + rng.uniform(-room, room, 2)
    picture = photo.picture
    if scale < 0.5:  # averaged first: bilinear sampling reads four pixels only, which would give aliasing
        picture = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        moved = cv2.warpAffine(picture, _from_half_size(matrix), (side, side), borderValue=colour.tolist())
    else:
        moved = cv2.warpAffine(picture, matrix, (side, side), borderValue=colour.tolist())
    centres = _transform((photo.boxes[:, :2] + photo.boxes[:, 2:]) / 2, matrix)
    half = (photo.boxes[:, 2:] - photo.boxes[:, :2]) / 2 * scale  # the turn is small, so the box keeps its size
    boxes = np.concatenate([centres - half, centres + half], 1).astype(np.float32)
    return Photo(np.asarray(moved, np.uint8), boxes, _transform(photo.landmarks, matrix))


def remove_faces(photo: Photo, rng: np.random.Generator) -> Photo:
    """The photo without recognisable faces: each is blurred, or cut into blocks that are shuffled."""
    picture = photo.picture.copy()
    for box in photo.boxes:
        x1, y1 = np.maximum(box[:2], 0).astype(int)
        x2, y2 = box[2:].astype(int)
        patch = picture[y1:y2, x1:x2]
        if min(patch.shape[:2], default=0) < 8:
            continue
        if rng.random() < 0.5:
            coarse = cv2.resize(patch, (3, 4), interpolation=cv2.INTER_AREA)  # keeps the colours of skin and hair only
            patch[:] = cv2.resize(coarse, patch.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        else:
            h, w = patch.shape[0] // 4, patch.shape[1] // 4
            blocks = [patch[i * h : i * h + h, j * w : j * w + w].copy() for i in range(4) for j in range(4)]
            for at, block in zip(rng.permutation(16), blocks, strict=True):
                i, j = divmod(int(at), 4)
                patch[i * h : i * h + h, j * w : j * w + w] = block
    return Photo(picture, photo.boxes[:0], photo.landmarks[:0])


def recolour(picture: Picture, rng: np.random.Generator) -> Picture:
    """The picture with random changes of brightness, contrast, colour, sharpness, noise and compression."""
    x = picture.astype(np.float32)
    if rng.random() < 0.15:
        x = np.repeat(x.mean(2, keepdims=True), 3, 2)
    x = (x - 127.5) * rng.uniform(0.6, 1.3) + 127.5 + rng.uniform(-40, 40)
    x *= rng.uniform(0.88, 1.12, 3).astype(np.float32)
    if rng.random() < 0.25:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.8))
    if rng.random() < 0.3:
        x += rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(1, 8))
    pixels = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])[1]
        pixels = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    return pixels


def _transform(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)


def _from_half_size(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same transform for a picture of half the size, whose pixel i has its centre at 2 i + 1/2 in the full one."""
    return np.asarray(matrix @ np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]), np.float64)
