"""From five landmarks to the 112x112 face that every ArcFace-kind model expects.

Convention: points are (x, y) in pixels, origin top left; transforms map photo to face.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.picture import Image

SIZE = 112
# where ArcFace training sets put left eye, right eye, nose tip, left and right mouth corner (InsightFace's arcface_dst)
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
TEMPLATE.setflags(write=False)


def similarity_transform(src: NDArray[np.floating], dst: NDArray[np.floating]) -> NDArray[np.float64]:
    """The least-squares similarity transform [2, 3] that maps points src [n, 2] to dst [n, 2].

    Rotation, one scale, translation, never a reflection: Umeyama, "Least-squares estimation of transformation
    parameters between two point patterns", PAMI 1991. In the plane his solution (equations 40 to 43 with the sign that
    forbids reflection) is the regression of one set of complex numbers on the other, ten times as fast as the singular
    values. Raises ValueError for points that coincide.
    """
    src_mean, dst_mean = src.mean(0), dst.mean(0)
    z, w = ((p - m) @ (1, 1j) for p, m in ((src, src_mean), (dst, dst_mean)))
    spread = np.vdot(z, z).real
    if spread < 1e-9 * len(z):
        raise ValueError("the landmarks coincide")
    turn = np.vdot(z, w) / spread
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([matrix, dst_mean - matrix @ src_mean])


def align_face(image: Image, landmarks: NDArray[np.floating], size: int = SIZE) -> Image:
    """The face [size, size, 3] whose five landmarks [5, 2] lie where the template has them."""
    matrix = similarity_transform(np.asarray(landmarks, np.float64), TEMPLATE * (size / SIZE))
    shrink = np.hypot(matrix[0, 0], matrix[1, 0])
    if shrink < 0.5:
        # bilinear sampling sees four pixels: a photo much larger than the face is averaged down first, else it aliases
        factor = 2.0 ** np.floor(np.log2(shrink) + 1)
        image = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix @ np.array(
            [[1 / factor, 0, 0.5 / factor - 0.5], [0, 1 / factor, 0.5 / factor - 0.5], [0, 0, 1]]
        )
    return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
