"""EXIF's tag Orientation: how a camera was held. Every other tag is ignored."""

import struct

ORIENTATION_TAG = 0x0112
PREFIX = b"Exif\0\0"


def orientation_of(exif: bytes) -> int:
    """The orientation 1 to 8 in a block of EXIF, with or without its prefix; 1, upright, where there is none.

    The block is a TIFF header and a list of entries of 12 bytes (TIFF 6.0, section 2). A damaged one counts as none.
    """
    tiff = exif.removeprefix(PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for place in range(first + 2, first + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, place)
            if tag == ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
