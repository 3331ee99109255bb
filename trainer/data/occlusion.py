"""Augmentation by drawn things that cover a part of a face: a face mask, sunglasses, or a plain object.

They are drawn where the landmarks of an aligned face are: at fixed places, by InsightFace's template of 112x112. Masks
on landmarks are the idea of MaskTheFace (Anwar and Raychowdhury, arXiv 2008.11104, section 3); the objects follow
random erasing (Zhong et al., arXiv 1708.04896, section 3), but lie on a landmark.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.data.augment import Face

NUMBERS = 8  # random numbers that a face needs
TEMPLATE = 112.0  # side in pixels of the template, to which all places here refer: x to the right, y down
LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = LANDMARKS = np.array(
    [[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]]
)
MASK_COLOURS = np.array([[236, 238, 238], [168, 202, 220], [34, 34, 38], [92, 104, 128]], float)  # RGB
GLASSES_LEVEL = 45.0  # the brightest that glasses are, of 255


def cover(face: Face, random: NDArray[np.float64], *, mask: float, occlusion: float) -> Face:
    """A face [s, s, c], with a mask on a share `mask` of all faces, and glasses or an object on a share `occlusion`.

    random [8]: numbers from 0 to 1; the first one decides whether anything is drawn, the others what and where.
    """
    if random[0] < mask:
        return draw_mask(face, random[1:])
    return draw_object(face, random[1:]) if random[0] < mask + occlusion else face


def draw_mask(face: Face, random: NDArray[np.float64]) -> Face:
    """A face with a mask over mouth and chin, and usually the nose; random [7] gives its edge, shape and colour."""
    edge, width, height, colour, shade, *_ = random
    # the upper edge crosses the nose between its bridge and its tip; one mask in five is worn below the nose
    bridge = NOSE[1] - 14 + 10 * edge / 0.8 if edge < 0.8 else NOSE[1] + 5
    ears = bridge + 2 + 6 * height
    half, middle = 32 + 8 * width, (LEFT_MOUTH[0] + RIGHT_MOUTH[0]) / 2
    outline = [
        (middle - half, ears),
        (middle - 8, bridge),
        (middle + 8, bridge),
        (middle + half, ears),
        (middle + half - 8, LEFT_MOUTH[1] + 6),
        (middle + 12, TEMPLATE + 4),
        (middle - 12, TEMPLATE + 4),
        (middle - half + 8, LEFT_MOUTH[1] + 6),
    ]
    plain = MASK_COLOURS[min(int(colour * len(MASK_COLOURS)), len(MASK_COLOURS) - 1)]
    return _fill(face, np.array(outline), plain * (0.85 + 0.15 * shade))


def draw_object(face: Face, random: NDArray[np.float64]) -> Face:
    """A face with sunglasses (one of three), or with an object of one colour on a landmark.

    random [7] gives its place, size and colour.
    """
    kind, place, x, y, *colour = random
    if kind < 1 / 3:
        for eye in (LEFT_EYE, RIGHT_EYE):
            face = _fill(face, _ellipse(eye, 13 + 4 * x, 9 + 4 * y), np.array(colour) * GLASSES_LEVEL)
        bar = [(LEFT_EYE[0], 49), (RIGHT_EYE[0], 49), (RIGHT_EYE[0], 53), (LEFT_EYE[0], 53)]
        return _fill(face, np.array(bar), np.array(colour) * GLASSES_LEVEL)
    centre = LANDMARKS[min(int(place * len(LANDMARKS)), len(LANDMARKS) - 1)] + [12 * x - 6, 12 * y - 6]
    # its area is 3% to 16% of the face's
    return _fill(face, _ellipse(centre, 11 + 14 * y, 11 + 14 * x), np.array(colour) * 255)


def _ellipse(centre: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    """The outline [24, 2] of an ellipse with these half axes."""
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([centre[0] + width * np.cos(t), centre[1] + height * np.sin(t)], 1)


def _fill(face: Face, outline: NDArray[np.float64], rgb: NDArray[np.float64]) -> Face:
    """A face with the inside of an outline in a colour, darker where the photo is dark."""
    side, channels = face.shape[1], face.shape[2]
    corners = np.rint(outline * side / TEMPLATE).astype(np.int32)
    inside = np.zeros(face.shape[:2], np.uint8)
    cv2.fillPoly(inside, [corners], 1)
    lit = rgb * _light(face)
    colour = lit if channels == 3 else lit.mean(keepdims=True)
    return np.where(inside[..., None] > 0, np.clip(colour, 0, 255).astype(np.uint8), face)


def _light(face: Face) -> float:
    """How bright a photo's light is: 1 for one of middle brightness, less for a dark one."""
    return min(0.35 + 0.65 * float(face.mean()) / 128, 1.0)
