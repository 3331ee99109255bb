"""What holds for every format: the same picture, upright; a bounded size; damage is a reason, never another error."""

import io
import struct
import zlib
from random import Random

import cv2
import numpy as np
import PIL.Image
import pytest

from pipeline.faces.picture import UnreadablePhoto, decode, decode_shrink, decoded_bytes
from pipeline.faces.picture_formats import pillow
from tests.builders.photos.encoded_pictures import (
    by_pillow,
    damaged,
    encoded,
    every_format,
    exif_block,
    png_chunk,
    scene,
    transparent,
    with_orientation,
)

FORMATS = sorted(every_format())
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")  # as the module does; pytest begins with no filter


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The mean difference of two pictures; pictures of different shapes differ as much as can be."""
    return float(np.abs(a.astype(int) - b).mean()) if a.shape == b.shape else 255.0


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_decoded_to_the_same_picture(name: str) -> None:
    data = every_format()[name]
    assert difference(decode(data), scene()) < (30 if name in ("cmyk", "png-palette") else 8)
    assert decoded_bytes(data) >= scene().nbytes


def turned(orientation: int) -> dict[str, bytes]:
    """A picture in every format that can hold an orientation."""
    image = scene()
    png, exif = encoded(image, ".png"), b"Exif\0\0" + exif_block(orientation)
    before_the_end = png.index(b"IEND") - 4
    profile = b"\nexif\n%8d\n%s\n" % (len(exif), exif.hex().encode())
    raw = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))
    text = png_chunk(b"tEXt", b"Raw profile type APP1\0" + profile)
    return {
        "png": png[:33] + png_chunk(b"eXIf", exif_block(orientation)) + png[33:],
        "png, EXIF at the end": png[:before_the_end]
        + png_chunk(b"eXIf", exif_block(orientation))
        + png[before_the_end:],
        "png with alpha": by_pillow(transparent(image), "PNG", "RGBA", exif=exif),
        "png, raw profile": png[:33] + raw + png[33:],
        "png, raw profile as text": png[:33] + text + png[33:],
        "webp": by_pillow(image, "WEBP", exif=exif, lossless=True),
        "webp with alpha": by_pillow(transparent(image), "WEBP", "RGBA", exif=exif, lossless=True),
        "avif": by_pillow(image, "AVIF", exif=exif, quality=95),
        "tiff": by_pillow(image, "TIFF", tiffinfo={0x0112: orientation}),
        "tiff, compressed": by_pillow(image, "TIFF", tiffinfo={0x0112: orientation}, compression="tiff_lzw"),
    }


@pytest.mark.parametrize("name", ["png-alpha", "webp-alpha", "avif-alpha"])
def test_transparent_pixels_become_grey(name: str) -> None:
    assert decode(every_format()[name])[20, 30].tolist() == [128, 128, 128]  # rint(127.5) is even


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_holds_for_every_format_as_for_jpeg(orientation: int) -> None:
    jpeg = with_orientation(encoded(scene(), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100), orientation)
    expected = decode(jpeg)
    assert np.array_equal(expected, cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
    for name, data in turned(orientation).items():
        assert difference(decode(data), expected) < 6, name


def bombs() -> dict[str, bytes]:
    """Small files whose pictures would take gigabytes."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 9_000, 16, 6, 0, 0, 0))
    webp = by_pillow(transparent(scene()), "WEBP", "RGBA", lossless=True)
    png, bmp = encoded(scene(), ".png"), encoded(scene(), ".bmp")
    gif = by_pillow(scene(), "GIF")
    avif = by_pillow(scene(), "AVIF")
    at = avif.index(b"ispe") + 8
    jp2 = by_pillow(scene(), "JPEG2000", no_jp2=True)
    return {
        "png of 16 bits with alpha": png[:8] + header + png_chunk(b"IDAT", b"x\x9c") + png_chunk(b"IEND", b""),
        "webp": webp[:21] + (16_382 | 16_382 << 14).to_bytes(4, "little") + webp[25:],
        "webp with a canvas": webp[:12] + b"VP8X\x0a\0\0\0\x10\0\0\0" + (16_382).to_bytes(3, "little") * 2 + webp[12:],
        "bmp": bmp[:18] + struct.pack("<ii", 20_000, -20_000) + bmp[26:],
        "pgm": b"P5\n20000 20000\n255\n" + bytes(1000),
        "gif": gif[:6] + struct.pack("<HH", 60_000, 60_000) + gif[10:],
        "avif": avif[:at] + struct.pack(">II", 14_000, 14_000) + avif[at + 8 :],
        "jpeg 2000": jp2[:8] + struct.pack(">II", 30_000, 30_000) + jp2[16:],
        "tiff": big_tiff(30_000, 30_000),
        "tiff with a huge tile": big_tiff(60, 40, tile=60_000),
    }


def big_tiff(width: int, height: int, *, tile: int = 0) -> bytes:
    """The header of an uncompressed TIFF of these sides, with little behind it."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 500, 277: 1, 278: height, 279: width * height}
    tags |= {322: tile, 323: tile, 324: 500, 325: 1000} if tile else {}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(1000)


@pytest.mark.parametrize("name", sorted(bombs()))
def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("OpenCV was called"))
    monkeypatch.setattr(pillow, "_bgr8", lambda *_: pytest.fail("Pillow has decoded it"))
    with pytest.raises(UnreadablePhoto, match="pixels"):
        decode(bombs()[name])


def test_formats_that_no_photo_has_are_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Radiance, OpenEXR, DDS, SPIDER, EPS, PSD: whatever the file is called."""
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("OpenCV was called"))
    monkeypatch.setattr(PIL.Image, "open", lambda *_, **__: pytest.fail("Pillow was called"))
    spider = io.BytesIO()
    PIL.Image.fromarray(scene()[:, :, 0]).convert("F").save(spider, "SPIDER")
    signatures = [b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 20000 +X 20000\n", b"v/1\1", b"DDS ", b"%!PS", b"8BPS"]
    for data in (*(s + bytes(200) for s in signatures), spider.getvalue()):
        with pytest.raises(UnreadablePhoto, match="no picture that can be decoded"):
            decode(data)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_gives_a_picture_or_a_reason_and_nothing_else(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    rng, data = Random(name), every_format()[name]
    for _ in range(60):
        changed = damaged(data, rng)
        shrink, reason = decode_shrink(changed, 16), "none"
        decoded_bytes(changed)
        try:
            image = decode(changed, shrink)
        except UnreadablePhoto as error:
            image, reason = scene(), str(error)
        assert image.ndim == 3
        assert image.dtype == np.uint8
        assert 0 < len(reason) < 300
        assert " at 0x" not in reason  # an address in memory would differ from run to run
    assert capfd.readouterr() == ("", "")


def test_random_bytes_are_no_picture() -> None:
    rng = Random(0)
    for data in every_format().values():
        for length in (0, 1, 4, 12, 200):
            for head in (data[:0], data[:4], data[:16]):
                with pytest.raises(UnreadablePhoto):
                    decode(head + rng.randbytes(length))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("bad"), NotImplementedError(), AttributeError("x")])
def test_whatever_a_decoder_raises_is_a_reason(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(cv2, "imdecode", broken)
    monkeypatch.setattr(PIL.Image, "open", broken)
    for name in ("png", "avif", "gif", "ppm"):
        assert decoded_bytes(every_format()[name]) >= 0
        with pytest.raises(UnreadablePhoto, match="no picture that can be decoded"):
            decode(every_format()[name])
