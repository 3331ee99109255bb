"""A photo whose face is a box with five coloured discs for landmarks."""

import cv2
import numpy as np

from trainer.sample_detector.scenes import Photo

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


def marked_photo(size: int = 200, *, face: int = 80) -> Photo:
    """A grey photo whose landmarks are discs of five colours."""
    picture = np.full((size, size + 40, 3), 128, np.uint8)
    middle = np.array([size * 0.55, size * 0.45])
    marks = middle + np.array([[-0.3, -0.2], [0.3, -0.2], [0, 0.05], [-0.25, 0.3], [0.25, 0.3]]) * face
    for mark, colour in zip(marks, COLOURS, strict=True):
        cv2.circle(picture, tuple(int(v) for v in mark.round()), face // 12, colour, -1)
    box = np.concatenate([middle - face / 2, middle + face / 2])
    return Photo(picture, box[None].astype(np.float32), marks.round()[None].astype(np.float32))
