"""PNG: its checksums tell damage, and what is no part of the picture is not needed."""

import numpy as np
import pytest

from pipeline.faces.picture import UnreadablePhoto, decode
from tests.builders.photos.encoded_pictures import encoded, png_chunk, textured

IMAGE = textured(60, 70)
PNG = encoded(IMAGE, ".png")
HEADER_END = 8 + 25  # signature, and the chunk IHDR


def test_a_picture_whose_pixels_are_complete_needs_no_end_chunk() -> None:
    pixels_end = PNG.index(b"IEND") - 4
    for end in range(pixels_end, len(PNG)):
        assert np.array_equal(decode(PNG[:end]), IMAGE)
    for end in (pixels_end - 1, pixels_end - 500, HEADER_END, 12):
        with pytest.raises(UnreadablePhoto, match="cut short"):
            decode(PNG[:end])
    assert np.array_equal(decode(PNG + b"\0trailer" * 9), IMAGE)


def test_damage_to_any_byte_of_the_picture_is_noticed_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for at in range(8, PNG.index(b"IEND") - 4, 97):
        with pytest.raises(UnreadablePhoto):
            decode(PNG[:at] + bytes([PNG[at] ^ 32]) + PNG[at + 1 :])
    for name in (b"IDAt", b"iDAT", b"XDAT"):
        with pytest.raises(UnreadablePhoto, match=r"damaged inside .the checksum of chunk"):
            decode(PNG.replace(b"IDAT", name))
    assert capfd.readouterr() == ("", "")


def test_metadata_with_a_wrong_checksum_does_not_count() -> None:
    wrong = png_chunk(b"tEXt", b"Comment\0by hand")[:-4] + b"none"
    profile = png_chunk(b"iCCP", b"x\0\0no profile")  # libpng would print a warning
    assert np.array_equal(decode(PNG[:HEADER_END] + wrong + profile + PNG[HEADER_END:]), IMAGE)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(UnreadablePhoto, match="cut short"):
        decode(PNG[:HEADER_END] + png_chunk(b"IEND", b""))
