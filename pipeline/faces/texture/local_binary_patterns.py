"""Local binary patterns of aligned faces (Ahonen, Hadid and Pietikainen 2006, Face Description with LBP).

The pattern of a pixel says which of eight pixels around it are brighter. A face is described by how often each pattern
occurs in each cell of a grid. Brightness and contrast change no pattern, and cells tell the parts of a face apart. Only
integers are compared, so that every processor gives the same histograms.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.align import SIZE

RADII = (1, 2, 4)  # pixels; distances of the eight neighbours, along the rows and columns and near the diagonals
CELLS = 8  # in a row of the grid; each has 14x14 pixels of an aligned face
# the 58 patterns with at most two changes between brighter and darker on the way around (uniform patterns, section
# 2.1), and all others together
PATTERNS = 59
LENGTH = len(RADII) * CELLS * CELLS * PATTERNS  # of a descriptor


def _pattern_numbers() -> NDArray[np.uint8]:
    """For each of the 256 patterns its number; all that are not uniform have the last one."""
    numbers = np.full(256, PATTERNS - 1, np.uint8)
    uniform = [v for v in range(256) if (v ^ ((v << 1 | v >> 7) & 255)).bit_count() <= 2]
    numbers[uniform] = np.arange(len(uniform))
    return numbers


NUMBERS = _pattern_numbers()
_ROW, _COLUMN = np.divmod(np.arange(SIZE * SIZE), SIZE)
CELL = _ROW * CELLS // SIZE * CELLS + _COLUMN * CELLS // SIZE  # of each pixel


def pattern_histograms(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The square roots of the shares of patterns [n, LENGTH] in aligned faces [n, 112, 112, 3] in BGR.

    Cells follow each other within a radius, patterns within a cell. Of square roots the Euclidean distance is that of
    Hellinger: rare patterns count, too.
    """
    histograms = np.empty((len(faces), len(RADII), CELLS * CELLS * PATTERNS), np.float32)
    for face, histogram in zip(faces, histograms, strict=True):
        grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
        for radius, counts in zip(RADII, histogram, strict=True):
            bins = CELL * PATTERNS + patterns(np.asarray(grey, np.uint8), radius).ravel()
            counts[:] = np.bincount(bins, minlength=len(counts))
    return np.sqrt(histograms / (SIZE // CELLS) ** 2, dtype=np.float32).reshape(len(faces), LENGTH)


def patterns(grey: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """The number of the pattern of each pixel of a grey picture [h, w]; outside it the pixels of its border go on."""
    height, width = grey.shape
    padded = np.pad(grey, radius, mode="edge")
    near = round(radius / np.sqrt(2))  # rows and columns to the neighbours on the diagonals
    steps = [(0, radius), (near, near), (radius, 0), (near, -near), (0, -radius), (-near, -near), (-radius, 0)]
    bits = np.zeros(grey.shape, np.uint8)
    for bit, (down, right) in enumerate([*steps, (-near, near)]):
        around = padded[radius + down : radius + down + height, radius + right : radius + right + width]
        bits |= np.left_shift(around > grey, bit, dtype=np.uint8)
    return np.asarray(NUMBERS[bits])
