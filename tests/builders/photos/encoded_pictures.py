"""A small picture in every photo format, with and without EXIF, and damage to its bytes."""

import io
import struct
import zlib
from functools import cache
from importlib import import_module
from random import Random

import cv2
import numpy as np
import PIL.Image


def scene(height: int = 40, width: int = 60) -> np.ndarray:
    """A picture [height, width, 3] in BGR whose top left is red and whose bottom right is blue."""
    image = np.full((height, width, 3), 90, np.uint8)
    image[: height // 2, : width // 2] = (0, 0, 255)
    image[height // 2 :, width // 2 :] = (255, 0, 0)
    return image


def textured(height: int = 200, width: int = 300) -> np.ndarray:
    """A picture [height, width, 3] with so much in it that every byte of a JPEG counts."""
    return cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8), (5, 5), 0)


def encoded(image: np.ndarray, suffix: str, *flags: int) -> bytes:
    """A picture as OpenCV writes it."""
    written, data = cv2.imencode(suffix, image, list(flags))
    assert written
    return data.tobytes()


def by_pillow(image: np.ndarray, format_name: str, mode: str = "RGB", **options: object) -> bytes:
    """A picture as Pillow writes it, converted to one of its modes."""
    out = io.BytesIO()
    pixels = image[:, :, [2, 1, 0, 3][: image.shape[2]]]
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).convert(mode).save(out, format_name, **options)
    return out.getvalue()


def exif_block(orientation: int) -> bytes:
    """EXIF that holds only the orientation (tag 0x0112), without its prefix."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def heic_picture(orientation: int = 1) -> bytes:
    """scene() as pillow-heif writes it, turned by EXIF."""
    import_module("pillow_heif").register_heif_opener()
    return by_pillow(scene(), "HEIF", quality=95, exif=b"Exif\0\0" + exif_block(orientation))


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF segment that holds only the orientation."""
    body = b"Exif\0\0" + exif_block(orientation)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def transparent(image: np.ndarray) -> np.ndarray:
    """A picture with a fourth channel: one pixel in its middle is transparent."""
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[image.shape[0] // 2, image.shape[1] // 2] = 0
    return np.dstack([image, alpha])


@cache
def every_format() -> dict[str, bytes]:
    """scene() in every format that is read, by a name."""
    image = scene()
    deep, with_alpha = image.astype(np.uint16) * 257, transparent(image)
    return {
        "jpeg": encoded(image, ".jpg"),
        "progressive": encoded(image, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "restarts": encoded(image, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        "cmyk": by_pillow(image, "JPEG", "CMYK", quality=95),
        "png": encoded(image, ".png"),
        "png-alpha": encoded(with_alpha, ".png"),
        "png-16": encoded(deep, ".png"),
        "png-palette": by_pillow(image, "PNG", "P"),
        "webp": encoded(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        "webp-lossy": encoded(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, 90),
        "webp-alpha": by_pillow(with_alpha, "WEBP", "RGBA", lossless=True),
        "bmp": encoded(image, ".bmp"),
        "ppm": encoded(image, ".ppm"),
        "gif": by_pillow(image, "GIF"),
        "tiff": encoded(image, ".tif"),
        "tiff-deflate": by_pillow(image, "TIFF", compression="tiff_deflate"),
        "tiff-jpeg": by_pillow(image, "TIFF", compression="jpeg", quality=95),
        "tiff-16": encoded(deep, ".tif"),
        "avif": by_pillow(image, "AVIF", quality=95),
        "avif-alpha": by_pillow(with_alpha, "AVIF", "RGBA", quality=95),
        "jpeg-2000": by_pillow(image, "JPEG2000"),
        "j2k": by_pillow(image, "JPEG2000", no_jp2=True),
    }


def damaged(data: bytes, rng: Random) -> bytes:
    """The bytes with one to three pieces overwritten, cut out, doubled or zeroed, or cut off."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 4, 64)))
        piece = data[at:end]
        middle = rng.choice((rng.randbytes(len(piece)), b"", 2 * piece, bytes(len(piece)), b"\xff" * len(piece)))
        data = data[:at] + middle + (data[end:] if rng.random() < 0.9 else b"")
    return data
