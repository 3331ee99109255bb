"""Photos of people who are patterns of 14x14 grey squares, and models that detect and embed them without errors."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.align import SIZE, TEMPLATE
from pipeline.faces.protocols import DetectedFaces
from tests.builders.photos.encoded_pictures import encoded

GREY = 118
SQUARES = 14
Person = int


class TileDetector:
    """Finds the tiles of a photo; the landmarks make the whole tile the aligned face. It counts the photos."""

    named_by = ("tile detector",)

    def __init__(self) -> None:
        self.photos = 0

    def __call__(self, image: NDArray[np.uint8]) -> DetectedFaces:
        self.photos += 1
        filled = (image != GREY).any(2)
        _, _, boxes, _ = cv2.connectedComponentsWithStats(filled.astype(np.uint8))
        x, y, side = (boxes[1:, i].astype(np.float32) for i in (0, 1, 2))
        corners = np.stack([x, y], 1)
        landmarks = corners[:, None] + TEMPLATE[None].astype(np.float32) * (side / SIZE)[:, None, None]
        return DetectedFaces(
            np.concatenate([corners, corners + side[:, None]], 1), np.ones(len(x), np.float32), landmarks
        )


class TileEmbedder:
    """The pattern of a tile, without its mean, as a vector of length 10. It counts the faces."""

    model, dim = "tiles.onnx", SQUARES**2

    def __init__(self, number: int = 0) -> None:
        self.named_by = ("tile embedder", number)
        self.faces = 0

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.faces += len(faces)
        small = [cv2.resize(face, (SQUARES, SQUARES), interpolation=cv2.INTER_AREA).mean(2).ravel() for face in faces]
        x = np.array(small, np.float32).reshape(-1, self.dim)
        x = x - x.mean(1, keepdims=True)
        return np.asarray(10 * x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6), np.float32)


def tile(person: Person, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A tile [side, side, 3] that shows a person, in a light of its own and with some noise."""
    pattern = np.random.default_rng([9, person]).uniform(60, 196, (SQUARES, SQUARES))
    pattern = pattern + rng.normal(0, 18, pattern.shape)
    large = np.kron(np.clip(pattern, 1, 254), np.ones((8, 8)))
    picture = cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA)[..., None].repeat(3, 2)
    picture = np.clip(picture, 1, 254).astype(np.uint8)
    picture[picture == GREY] = GREY + 1
    return picture


def tile_photo(people: Sequence[tuple[Person, int]], rng: np.random.Generator) -> bytes:
    """A photo of people side by side, from left to right with the sides of their tiles, as PNG."""
    height, width = max(side for _, side in people) + 20, sum(side + 10 for _, side in people) + 10
    photo, x = np.full((height, width, 3), GREY, np.uint8), 10
    for person, side in people:
        y = (height - side) // 2
        photo[y : y + side, x : x + side] = tile(person, side, rng)
        x += side + 10
    return encoded(photo, ".png")


def write_tile_photos(folder: Path, photos: dict[str, Sequence[tuple[Person, int]]], seed: int = 0) -> None:
    """Write photos IDENTITY/NAME.png with these people."""
    rng = np.random.default_rng(seed)
    for name, people in photos.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tile_photo(people, rng))
