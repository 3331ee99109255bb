"""The tag Orientation, in every byte order and place, and in none where the block is damaged."""

import struct

import pytest

from pipeline.faces.picture_formats.exif import orientation_of
from tests.builders.photos.encoded_pictures import exif_block


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_tag_is_found_in_both_byte_orders_and_behind_other_tags(orientation: int) -> None:
    assert orientation_of(exif_block(orientation)) == orientation
    assert orientation_of(b"Exif\0\0" + exif_block(orientation)) == orientation
    other = struct.pack(">HHII", 0x010F, 2, 4, 0)
    tag = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    assert orientation_of(b"MM\0*" + struct.pack(">I4xH", 12, 2) + other + tag) == orientation


def test_a_block_without_the_tag_or_a_damaged_one_is_upright() -> None:
    block = exif_block(6)
    assert orientation_of(exif_block(0)) == orientation_of(exif_block(9)) == 1
    for damaged in (b"", b"II", b"XX" + block[2:], block[:15], block[:4] + b"\xff\xff\xff\xff" + block[8:]):
        assert orientation_of(damaged) == 1
