"""Decoding: every photo format of the web becomes an upright picture in 8-bit BGR, or an error with the reason."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from pipeline.faces.picture import UnreadablePhoto, decode
from tests.builders.photos.encoded_pictures import encoded, scene, with_orientation


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_every_format_is_decoded_to_the_same_picture(suffix: str) -> None:
    assert np.abs(decode(encoded(scene(), suffix)).astype(int) - scene()).mean() < 6


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(orientation: int, turns: int) -> None:
    upright = np.rot90(scene(), turns)
    image = decode(with_orientation(encoded(scene(), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100), orientation))
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).mean() < 6


def test_sixteen_bits_grey_and_alpha_become_eight_bit_colour() -> None:
    deep = encoded(scene().astype(np.uint16) * 257, ".png")
    assert np.array_equal(decode(deep), scene())
    grey = np.arange(0, 200, dtype=np.uint8).reshape(10, 20)
    assert np.array_equal(decode(encoded(grey, ".png")), np.repeat(grey[:, :, None], 3, 2))
    alpha = np.dstack([scene(), np.full((40, 60), 255, np.uint8)])
    alpha[5, 5, 3] = 0
    image = decode(encoded(alpha, ".png"))
    assert image[5, 5].tolist() == [128, 128, 128]  # rint(127.5) is even
    assert np.array_equal(np.delete(image.reshape(-1, 3), 305, 0), np.delete(scene().reshape(-1, 3), 305, 0))


def test_cmyk_jpeg_becomes_colour() -> None:
    image_module = pytest.importorskip("PIL.Image")
    import io

    out = io.BytesIO()
    image_module.fromarray(scene()[:, :, ::-1]).convert("CMYK").save(out, "JPEG", quality=95)
    assert np.abs(decode(out.getvalue()).astype(int) - scene()).mean() < 25


def test_the_first_frame_of_an_animation_is_taken() -> None:
    image_module = pytest.importorskip("PIL.Image")
    import io

    frames = [image_module.fromarray(np.full((20, 20, 3), v, np.uint8)) for v in (200, 20)]
    for kind in ("WEBP", "PNG", "GIF"):
        out = io.BytesIO()
        frames[0].save(
            out,
            kind,
            save_all=True,
            append_images=frames[1:],
            duration=100,
            **({"lossless": True} if kind == "WEBP" else {}),
        )
        assert abs(int(decode(out.getvalue()).mean()) - 200) <= 2, kind


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>no photo</html>", "it is a web page"),
        (b"\0" * 100, "no picture that can be decoded"),
        (encoded(scene(), ".jpg")[:-20], "cut short"),
        (encoded(scene(), ".png")[:-30], "cut short"),
        (encoded(scene(), ".webp")[:-5], "cut short"),
        (encoded(scene(), ".bmp")[:-5], "cut short"),
    ],
)
def test_bytes_that_are_no_complete_picture_raise_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePhoto, match=reason):
        decode(data)


@pytest.mark.parametrize(("side", "reason"), [(12_000, "12000x12000 pixels are more"), (60_000, "60000x60000")])
def test_a_decompression_bomb_is_recognised_by_its_header(side: int, reason: str) -> None:
    """The file has no pixels after its header, so decoding it would raise another reason."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)), struct.pack(">I", 0) + b"IEND"]
    with pytest.raises(UnreadablePhoto, match=reason):
        decode(b"\x89PNG\r\n\x1a\n" + chunks[0] + b"\0\0\0\4IDAT\0\0\0\0\0\0\0\0" + chunks[1] + b"\xaeB`\x82")


def test_every_truncated_jpeg_raises_an_error() -> None:
    whole = encoded(scene(200, 200), ".jpg")
    decode(whole)
    for length in range(0, len(whole) - 1, 37):
        with pytest.raises(UnreadablePhoto):
            decode(whole[:length])


@pytest.mark.parametrize("flags", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
@pytest.mark.parametrize("before", [b"", b"\xff\xff", b"\xff\xfe\x00\x04no"])
def test_a_jpeg_with_a_huge_size_in_its_header_is_not_decoded(flags: tuple[int, ...], before: bytes) -> None:
    """before: bytes between the start and the frame header, such as a comment or padding."""
    small = encoded(scene(16, 24), ".jpg", *flags)
    frame = small.index(struct.pack(">HH", 16, 24)) - 5
    decode(small[:frame] + before + small[frame:])
    huge = small[:frame] + before + small[frame : frame + 5] + struct.pack(">HH", 60_000, 60_000) + small[frame + 9 :]
    with pytest.raises(UnreadablePhoto, match=r"60000x60000|has more than"):
        decode(huge)
