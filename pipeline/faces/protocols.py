"""What the pipeline asks of a face detector and of an embedder; any class that gives this can take their place.

Implemented by `detect.OnnxDetector` and `embed.OnnxEmbedder` (ONNX files), and by `trainer.embedder.Embedder` (a
checkpoint, which the pipeline must not import).
Convention: points are (x, y) in pixels of the picture, origin top left; pictures and faces are 8-bit BGR.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.picture import Image


class DetectedFaces(NamedTuple):
    """The n faces of one picture: boxes [n, 4] as x1, y1, x2, y2, scores [n], landmarks [n, 5, 2].

    The five landmarks are left eye, right eye, nose tip, left and right mouth corner, as they lie in the picture.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class FaceDetector(Protocol):
    """Finds the faces of a picture [height, width, 3]."""

    @property
    def named_by(self) -> Sequence[Any]:
        """The values that stand for the detector in a table's address: equal values, equal results."""
        ...

    def __call__(self, image: Image, /) -> DetectedFaces:
        """All faces of a picture, in its pixels; with no rows where it shows none."""
        ...


class FaceEmbedder(Protocol):
    """Turns aligned faces into embeddings."""

    @property
    def model(self) -> str:
        """The path of the model's file."""
        ...

    @property
    def named_by(self) -> Sequence[Any]:
        """The values that stand for the embedder in a table's address: equal values, equal results."""
        ...

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        ...

    def __call__(self, faces: NDArray[np.uint8], /) -> NDArray[np.float32]:
        """The embeddings [n, dim] of aligned faces [n, 112, 112, 3], not normalised: their norm falls with blur."""
        ...
