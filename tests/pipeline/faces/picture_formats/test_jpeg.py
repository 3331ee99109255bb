"""JPEG: what lies behind the picture does not count, pixels that are missing do."""

import struct
from random import Random

import cv2
import numpy as np
import pytest
import simplejpeg

from pipeline.faces.picture import UnreadablePhoto, decode
from tests.builders.photos.encoded_pictures import by_pillow, encoded, textured

BASELINE = encoded(textured(), ".jpg")
PROGRESSIVE = encoded(textured(), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = encoded(textured(), ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 3)
KINDS = pytest.mark.parametrize("jpeg", [BASELINE, PROGRESSIVE, RESTARTS], ids=["baseline", "progressive", "restarts"])


def scans(jpeg: bytes) -> list[int]:
    """Where the data of each scan begins."""
    places, at = [], 0
    while (at := jpeg.find(b"\xff\xda", at)) >= 0:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        places.append(at)
    return places


@KINDS
def test_bytes_behind_the_picture_do_not_count(jpeg: bytes) -> None:
    whole, rng = decode(jpeg), Random(0)
    video = b"\0\0\0\x18ftypmp42" + rng.randbytes(30_000)  # an MP4 as in a Motion Photo: FF DA many times over
    trailers = [b"\0" * 50, video + b"\xff\xda\0", BASELINE, BASELINE[:-900], b"SEFH" + rng.randbytes(900) + b"SEFT"]
    for trailer in trailers:
        assert np.array_equal(decode(jpeg + trailer), whole)


@KINDS
def test_a_picture_without_its_end_marker_is_whole(jpeg: bytes) -> None:
    whole = decode(jpeg)
    for end in (b"", b"\xff", b"\0" * 20, b"SEFH\0\0trailer", b"\xff\xd8" + BASELINE[2:]):
        assert np.array_equal(decode(jpeg[:-2] + end), whole)


@KINDS
@pytest.mark.parametrize("trailer", [b"", b"\xff\xd9", b"\xff\xd8\xff\xe1", b"SEFT"])
def test_a_picture_whose_pixels_are_missing_is_not(jpeg: bytes, trailer: bytes) -> None:
    last = scans(jpeg)[-1]
    for length in {last + 5, (last + len(jpeg)) // 2, len(jpeg) - 30, *range(700, len(jpeg) - 30, 3001)}:
        with pytest.raises(UnreadablePhoto, match="damaged inside|cut short" if trailer else "cut short"):
            decode(jpeg[:length] + trailer)


def test_a_progressive_picture_that_ends_between_two_scans_is_cut_short() -> None:
    for at in scans(PROGRESSIVE)[1:]:
        header = PROGRESSIVE.rfind(b"\xff\xda", 0, at)
        tables = PROGRESSIVE.rfind(b"\xff\xc4", 0, header)
        for end in (header, tables, header + 4):
            with pytest.raises(UnreadablePhoto, match="cut short"):
                decode(PROGRESSIVE[:end])


@KINDS
@pytest.mark.parametrize("damage", [bytes(64), Random(1).randbytes(64), b"\xff\xd3" * 4, b"\xff\x46"])
def test_damage_inside_is_noticed_and_nothing_is_printed(
    jpeg: bytes, damage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """The end marker is there, and libjpeg would fill up with grey. Some damage gives codes that fit by chance."""
    noticed, places = 0, range(2000, len(jpeg) - 200, 999)
    for at in places:
        try:
            decode(jpeg[:at] + damage + jpeg[at + len(damage) :])
        except UnreadablePhoto as reason:
            noticed += "damaged inside" in str(reason) or "cut short" in str(reason)
    assert noticed > 0.6 * len(places)
    assert capfd.readouterr() == ("", "")


def test_blocks_that_damage_has_skipped_are_noticed_and_padding_is_not() -> None:
    """libjpeg reports both as extraneous bytes."""
    whole = decode(BASELINE)
    assert np.array_equal(decode(BASELINE[:-2] + bytes(8) + BASELINE[-2:]), whole)
    with pytest.raises(UnreadablePhoto, match=r"damaged inside .*extraneous bytes"):
        decode(BASELINE[:-2] + b"blocks of the picture" + BASELINE[-2:])


def test_a_picture_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    """A scan of a few bytes passes through all pixels."""
    size = struct.pack(">HH", *textured().shape[:2])
    large, at = PROGRESSIVE.replace(size, struct.pack(">HH", 8000, 8000)), scans(PROGRESSIVE)[0]
    first = large.rfind(b"\xff\xda", 0, at)
    with pytest.raises(UnreadablePhoto, match="scans of 8000x8000 pixels would take minutes"):
        decode(large[:first] + 100 * (large[first:at] + b"\0\0") + large[first:])


def test_a_kind_of_jpeg_that_is_not_decoded_is_not_called_damaged() -> None:
    frame = BASELINE.index(b"\xff\xc0")
    for precision, kind in ((12, b"\xc1"), (8, b"\xcb")):  # 12 bits a channel; lossless, with arithmetic coding
        odd = (
            BASELINE[: frame + 1] + kind + BASELINE[frame + 2 : frame + 4] + bytes([precision]) + BASELINE[frame + 5 :]
        )
        with pytest.raises(UnreadablePhoto, match="a JPEG that cannot be decoded"):
            decode(odd)


def test_metadata_between_the_segments_does_not_count() -> None:
    whole, at = decode(BASELINE), BASELINE.index(b"\xff\xdb")
    for between in (b"garbage", b"\xff\xff", b"\xff\xfe\0\4no", b"\xff\xe5\0\5\xff\xda\xff", b"\xff\xd0"):
        assert np.array_equal(decode(BASELINE[:at] + between + BASELINE[at:]), whole)
    version, scan = BASELINE.index(b"JFIF\0") + 5, scans(BASELINE)[0]
    assert np.array_equal(decode(BASELINE[:version] + b"\7" + BASELINE[version + 1 :]), whole)  # libjpeg warns of both
    assert np.array_equal(decode(BASELINE[: scan - 3] + b"\1\2" + BASELINE[scan - 1 :]), whole)


def test_every_sampling_and_colour_space_is_decoded_to_the_same_picture_as_by_opencv() -> None:
    image = textured(120, 130)
    jpegs = [by_pillow(image, "JPEG", mode, quality=92, progressive=p) for mode in ("RGB", "L", "CMYK") for p in (0, 1)]
    samplings = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, 0x221111, 0x222222]
    jpegs += [encoded(image, ".jpg", cv2.IMWRITE_JPEG_SAMPLING_FACTOR, s) for s in samplings[:2]]
    jpegs += [by_pillow(image, "JPEG", quality=92, subsampling=s) for s in ("4:4:4", "4:2:2", "4:2:0")]
    flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 8: cv2.IMREAD_REDUCED_COLOR_8}
    for jpeg in jpegs:
        for shrink, flag in flags.items():
            assert np.array_equal(decode(jpeg, shrink), cv2.imdecode(np.frombuffer(jpeg, np.uint8), flag))


def test_a_jpeg_that_turbojpeg_does_not_know_is_decoded_as_by_libjpeg() -> None:
    """Factors of 2x1 for the third component as well, and a mark of the colour space that no writer defines."""
    jpeg = encoded(textured(64, 64), ".jpg", cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422)
    factors = jpeg.index(b"\xff\xc0") + 17
    assert jpeg[factors - 6 : factors + 1 : 3] == b"\x21\x11\x11"
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\7"
    end_of_jfif = 4 + int.from_bytes(jpeg[4:6], "big")
    marked = jpeg[:2] + adobe + jpeg[end_of_jfif:]
    for odd, refusal in ((jpeg[:factors] + b"\x21" + jpeg[factors + 1 :], "subsampling"), (marked, "Adobe")):
        with pytest.raises(ValueError, match=refusal):
            simplejpeg.decode_jpeg(odd)
        for shrink, flag in ((1, cv2.IMREAD_COLOR), (4, cv2.IMREAD_REDUCED_COLOR_4)):
            expected = cv2.imdecode(np.frombuffer(odd, np.uint8), flag)
            assert np.array_equal(decode(odd, shrink), expected)
        with pytest.raises(UnreadablePhoto, match="cut short"):
            decode(odd[:-300])
