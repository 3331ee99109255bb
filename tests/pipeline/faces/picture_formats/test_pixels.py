"""Limits and conversions of pixels: transparency is blended where it is, block by block; turns are those of EXIF."""

import tracemalloc

import numpy as np
import pytest

from pipeline.faces.picture_formats import pixels
from pipeline.faces.picture_formats.pixels import MAX_BYTES, UnreadablePhoto, check_size, to_bgr8, upright


def slowly(image: np.ndarray) -> np.ndarray:
    """to_bgr8 of a picture with four channels, all at once."""
    image = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
    alpha = image[:, :, 3:].astype(np.float32) / 255
    return np.rint(image[:, :, :3] * alpha + pixels.BACKGROUND * (1 - alpha)).astype(np.uint8)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("block", [1, 50, 1 << 20])
def test_blocks_give_the_same_as_the_whole(monkeypatch: pytest.MonkeyPatch, kind: type, block: int) -> None:
    monkeypatch.setattr(pixels, "BLOCK_PIXELS", block)
    image = np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, (37, 23, 4)).astype(kind)
    expected = slowly(image)
    for layout in (image.copy(), np.asfortranarray(image)):
        assert np.array_equal(to_bgr8(layout), expected)
    grey = image[:, :, 0]
    eight = grey if kind is np.uint8 else (grey >> 8).astype(np.uint8)
    assert np.array_equal(to_bgr8(grey), np.repeat(eight[:, :, None], 3, 2))


def test_a_transparent_picture_is_blended_without_a_second_one_in_memory() -> None:
    image = np.full((3000, 2000, 4), 60, np.uint16)
    tracemalloc.start()
    to_bgr8(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20  # the blocks; the picture itself has 48 MB, and 96 MB of floating-point numbers


def test_the_limit_counts_pixels_and_their_bytes() -> None:
    check_size(11_000, 12_000, 4)
    with pytest.raises(UnreadablePhoto, match="12000x12000 pixels are more than"):
        check_size(12_000, 12_000, 1)
    with pytest.raises(UnreadablePhoto, match=f"11000x12000 pixels of 8 bytes are more than {MAX_BYTES}"):
        check_size(11_000, 12_000, 8)


def test_turns_are_those_of_exif() -> None:
    """By the definition in TIFF 6.0: the side of the scene at which the first row and the first column lie."""
    stored = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    sides = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "lt", 6: "rt", 7: "rb", 8: "lb"}
    for orientation, (row, column) in sides.items():
        seen = upright(stored, orientation)
        line = {"t": seen[0], "b": seen[-1], "l": seen[:, 0], "r": seen[:, -1]}[row]
        assert np.array_equal(line if column in "lt" else line[::-1], stored[0]), orientation
