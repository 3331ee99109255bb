"""The interfaces of face detectors and embedders; any class that implements one can be used.

Implementations: `detect.OnnxDetector` and `embed.OnnxEmbedder` (ONNX files), and `trainer.embedder.Embedder` (a
checkpoint; the pipeline must not import it).
Convention: points are (x, y) in pixels of the picture, origin top left; pictures and faces are 8-bit BGR.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.picture import Image


class DetectedFaces(NamedTuple):
    """The n faces of one picture, in its pixels."""

    boxes: NDArray[np.float32]  # [n, 4]: x1, y1, x2, y2
    scores: NDArray[np.float32]  # [n]: the detector's confidence, 0..1
    # [n, 5, 2]: left eye, right eye, nose tip, left and right mouth corner; left as seen in the picture
    landmarks: NDArray[np.float32]


class FaceDetector(Protocol):
    """Detects the faces in a picture."""

    @property
    def named_by(self) -> Sequence[Any]:
        """The values that stand for the detector in a table's address; equal values mean equal results."""
        ...

    def __call__(self, image: Image, /) -> DetectedFaces:
        """All faces in a picture [height, width, 3]; with zero rows if there are none."""
        ...


@runtime_checkable
class OnCard(Protocol):
    """A detector or an embedder that may run on a card, which wants many pictures at a time."""

    @property
    def on_card(self) -> bool:
        """Whether a card runs it here."""
        ...


@runtime_checkable
class BatchDetector(FaceDetector, OnCard, Protocol):
    """A detector that takes several pictures at a time."""

    def batch_key(self, image: Image, /) -> tuple[int, int]:
        """Pictures with equal keys are detected together."""
        ...

    def detect_batch(self, images: Sequence[Image], /) -> list[DetectedFaces]:
        """The faces in each picture, as of one alone, but for rounding."""
        ...


class FaceEmbedder(Protocol):
    """Turns aligned faces into embeddings."""

    @property
    def model(self) -> str:
        """The path of the model's file."""
        ...

    @property
    def named_by(self) -> Sequence[Any]:
        """The values that stand for the embedder in a table's address; equal values mean equal results."""
        ...

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        ...

    def __call__(self, faces: NDArray[np.uint8], /) -> NDArray[np.float32]:
        """The embeddings [n, dim] of aligned faces [n, 112, 112, 3], not normalised: blur lowers the norm."""
        ...
