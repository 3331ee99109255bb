"""Duplicates as web sites make them: a photo that was framed, recompressed, cropped, recoloured, mirrored or retouched.

Each edit is a function of a picture and gives another file of the same picture, so it is still a duplicate.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
QUALITY = 90  # JPEG quality of edited pictures where the edit is not the quality itself
# BGR <- BGR; the sepia of Microsoft's sample code, which most image editors copied
SEPIA = np.array([[0.131, 0.534, 0.272], [0.168, 0.686, 0.349], [0.189, 0.769, 0.393]])
START, COMMENT = b"\xff\xd8", b"\xff\xfe"  # markers of JPEG: start of image, comment


class Original(NamedTuple):
    """A photo to edit: the bytes of its file, its pixels [h, w, 3] in BGR, the box x1, y1, x2, y2 of its face."""

    data: bytes
    pixels: Pixels
    face: Box


Edit = Callable[[Original, np.random.Generator], bytes]


def jpeg(pixels: NDArray[Any], quality: int = QUALITY) -> bytes:
    """A picture [h, w, 3], clipped to 0..255, as JPEG."""
    clipped = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", clipped, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def border(photo: Original, rng: np.random.Generator) -> bytes:
    """A white, grey or black frame of 4% to 10% of the shorter side."""
    width = round(float(rng.uniform(0.04, 0.1)) * min(photo.pixels.shape[:2]))
    colour = [float(rng.choice([0, 128, 255]))] * 3
    return jpeg(cv2.copyMakeBorder(photo.pixels, *[width] * 4, cv2.BORDER_CONSTANT, value=colour))


def caption(photo: Original, rng: np.random.Generator) -> bytes:
    """A dark bar with white text over the lowest eighth."""
    pixels = photo.pixels.copy()
    height, width = pixels.shape[:2]
    top = height - height // 8
    pixels[top:] = pixels[top:] // 5
    words = f"(c) {int(rng.integers(1000, 9999))} picture desk"
    cv2.putText(pixels, words, (width // 20, height - height // 30), cv2.FONT_HERSHEY_SIMPLEX, width / 450, (255,) * 3)
    return jpeg(pixels)


def exif(photo: Original, rng: np.random.Generator) -> bytes:
    """The same pixels in other bytes: a comment in the header of the JPEG file."""
    if not photo.data.startswith(START):
        return jpeg(photo.pixels, 100)
    text = f"downloaded {int(rng.integers(1 << 40))}".encode()
    return START + COMMENT + (len(text) + 2).to_bytes(2, "big") + text + photo.data[2:]


def resave(photo: Original, rng: np.random.Generator) -> bytes:
    """JPEG quality 60 to 85."""
    return jpeg(photo.pixels, int(rng.integers(60, 86)))


def low_quality(photo: Original, rng: np.random.Generator) -> bytes:
    """JPEG quality 15."""
    del rng
    return jpeg(photo.pixels, 15)


def crop(photo: Original, rng: np.random.Generator) -> bytes:
    """Up to an eighth cut off at each side."""
    height, width = photo.pixels.shape[:2]
    left, top, right, bottom = (int(n) for n in rng.random(4) * (width, height, width, height) / 8)
    return jpeg(photo.pixels[top : height - bottom, left : width - right])


def tight_crop(photo: Original, rng: np.random.Generator) -> bytes:
    """The face alone, cut twice: the aligned face reaches beyond such a picture."""
    height, width = photo.pixels.shape[:2]
    x1, y1, x2, y2 = photo.face
    margin = rng.uniform(-0.02, 0.08, 4) * ((x2 - x1, y2 - y1) * 2)
    left, top = max(0, round(x1 - margin[0])), max(0, round(y1 - margin[1]))
    right, bottom = min(width, round(x2 + margin[2])), min(height, round(y2 + margin[3]))
    first = cv2.imdecode(np.frombuffer(jpeg(photo.pixels[top:bottom, left:right], 85), np.uint8), cv2.IMREAD_COLOR)
    cut = max(1, min(first.shape[:2]) // 40)
    return jpeg(first[cut:-cut, cut:-cut], 85)


def thumbnail(photo: Original, rng: np.random.Generator) -> bytes:
    """The sides shortened to 35% to 60%."""
    scale = float(rng.uniform(0.35, 0.6))
    return jpeg(cv2.resize(photo.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), 80)


def grey(photo: Original, rng: np.random.Generator) -> bytes:
    """Black and white."""
    del rng
    return jpeg(cv2.cvtColor(cv2.cvtColor(photo.pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def sepia(photo: Original, rng: np.random.Generator) -> bytes:
    """The brown of old photographs."""
    del rng
    return jpeg(photo.pixels @ SEPIA.T)


def tinted(photo: Original, rng: np.random.Generator) -> bytes:
    """A warm or cold cast: blue and red multiplied by up to 1.35 and 0.65, or the other way round."""
    strength = float(rng.uniform(0.2, 0.35)) * float(rng.choice([-1, 1]))
    return jpeg(photo.pixels * np.array([1 + strength, 1.0, 1 - strength]))


def darkened(photo: Original, rng: np.random.Generator) -> bytes:
    """A tone curve with gamma 1.6 to 2.6, times 0.6 to 0.9."""
    return jpeg(255 * float(rng.uniform(0.6, 0.9)) * (photo.pixels / 255) ** float(rng.uniform(1.6, 2.6)))


def brightened(photo: Original, rng: np.random.Generator) -> bytes:
    """Tones multiplied by 1.3 to 1.6, so that light ones become white, and lifted by up to 20."""
    return jpeg(photo.pixels * float(rng.uniform(1.3, 1.6)) + float(rng.uniform(0, 20)))


def retouched(photo: Original, rng: np.random.Generator) -> bytes:
    """Smooth skin and sharp edges, as beauty filters make them."""
    smooth = cv2.bilateralFilter(photo.pixels, 9, float(rng.uniform(25, 45)), 7).astype(np.float64)
    return jpeg(smooth + 0.4 * (smooth - cv2.GaussianBlur(smooth, (0, 0), 3)))


def mirrored(photo: Original, rng: np.random.Generator) -> bytes:
    """Left and right swapped."""
    del rng
    return jpeg(photo.pixels[:, ::-1])


def mirrored_crop(photo: Original, rng: np.random.Generator) -> bytes:
    """Left and right swapped, then up to an eighth cut off at each side."""
    return crop(photo._replace(pixels=np.ascontiguousarray(photo.pixels[:, ::-1])), rng)


EDITS: Mapping[str, Edit] = {
    "border": border,
    "caption": caption,
    "exif": exif,
    "resave": resave,
    "quality-15": low_quality,
    "crop": crop,
    "tight-crop": tight_crop,
    "thumbnail": thumbnail,
    "grey": grey,
    "sepia": sepia,
    "tinted": tinted,
    "darkened": darkened,
    "brightened": brightened,
    "retouched": retouched,
    "mirrored": mirrored,
    "mirrored-crop": mirrored_crop,
}
