"""Label noise found by sub-centre ArcFace: a published cleaning method, which the pipeline is compared with.

Deng et al., "Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web Faces" (ECCV 2020), section 3.3:
a classifier is trained with K centres per class. The clean photos of a class gather at one of them, its dominant
centre; photos at a large angle to the dominant centre are dropped.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.data.chunk import Chunk
from trainer.data.data_set import count_classes, open_faces
from trainer.data.decode import decode_face
from trainer.embedder import to_input
from trainer.evaluation.finite_vectors import check_finite
from trainer.run import Run

PHOTOS_AT_ONCE = 65_536  # [65536, 3, 512] float32 are 400 MB


class CentreAngles(NamedTuple):
    """Each photo's angle in degrees [n] to the dominant centre of its class, and that centre's number [classes]."""

    degrees: NDArray[np.float32]
    dominant: NDArray[np.int64]

    def within(self, max_degrees: float = 75.0) -> NDArray[np.bool_]:
        """Which photos [n] have at most this angle. In the paper 75 degrees is best, 70 and 80 are nearly as good."""
        return self.degrees <= max_degrees


def dominant_angles(x: NDArray[np.floating], label: NDArray[np.integer], centres: NDArray[np.floating]) -> CentreAngles:
    """Each photo's angle to its class's dominant centre: the centre that is nearest to most photos of the class.

    x [n, d]: embeddings; label [n] in 0..classes-1; centres [classes, K, d] or [classes, d]; all of any norm. Of
    centres with equally many photos the first is dominant; in a class without photos it is centre 0. Raises UserError
    for numbers that are not finite.
    """
    check_finite(x, "embeddings")
    check_finite(centres.reshape(len(centres), -1), "class centres")
    centres = np.asarray(centres if centres.ndim == 3 else centres[:, None], np.float32)
    centres = centres / np.maximum(np.linalg.norm(centres, axis=2, keepdims=True), 1e-12)
    cosine = np.concatenate(
        [
            _cosines(x[i : i + PHOTOS_AT_ONCE], centres[label[i : i + PHOTOS_AT_ONCE]])
            for i in range(0, len(x), PHOTOS_AT_ONCE)
        ]
    )
    classes, k = centres.shape[:2]
    photos_nearest = np.bincount(label * k + cosine.argmax(1), minlength=classes * k).reshape(classes, k)
    dominant = photos_nearest.argmax(1)
    to_dominant = cosine[np.arange(len(x)), dominant[label]]
    return CentreAngles(np.degrees(np.arccos(to_dominant.clip(-1, 1))).astype(np.float32), dominant)


def _cosines(x: NDArray[np.floating], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines [n, K] of each photo x [n, d] to the centres [n, K, d] of its class, which have norm 1."""
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    cosine: NDArray[np.float32] = np.einsum("nd,nkd->nk", unit.astype(np.float32), centres)
    return cosine


class PhotoAngles(NamedTuple):
    """The keys of a data set's photos [n], and their angles to the dominant centres."""

    keys: list[str]
    angles: CentreAngles


def angles_to_centres(checkpoint_file: str | Path, data: str | Path) -> PhotoAngles:
    """The angle of each photo of a data set to its class's dominant centre, in the classifier of a checkpoint.

    data: the data set that the checkpoint was trained on (see open_faces). Raises UserError when the checkpoint has
    another number of classes, or a loss without class centres.
    """
    saved, faces = checkpoint.load(checkpoint_file), open_faces(data)
    centres = saved.objective.get("weight")
    if centres is None or len(centres) != count_classes(faces) or centres.shape[-1] != saved.run.embedding:
        raise UserError(f"{checkpoint_file} holds no class centres of {data}: give the data set it was trained on")
    net, run = checkpoint.load_backbone(checkpoint_file)
    chunks = [faces.read(c) for c in range(len(faces.chunk_sizes))]
    x = np.concatenate([_embed(net, run, c) for c in chunks])
    label = np.concatenate([c.label for c in chunks])
    return PhotoAngles([key for c in chunks for key in c.key], dominant_angles(x, label, centres.numpy()))


@torch.inference_mode()
def _embed(net: torch.nn.Module, run: Run, chunk: Chunk) -> NDArray[np.floating]:
    faces = [_decode(jpeg, key, run) for jpeg, key in zip(chunk.jpeg, chunk.key, strict=True)]
    x = to_input(torch.from_numpy(np.stack(faces).transpose(0, 3, 1, 2)))
    return np.asarray(net(x).numpy())


def _decode(jpeg: bytes, key: str, run: Run) -> NDArray[np.uint8]:
    face = decode_face(jpeg, size=run.size, channels=run.channels)
    if face is None:
        raise UserError(f"{key} is not a picture that can be decoded: refine or export the data set again")
    return face
