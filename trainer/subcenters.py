"""Noise by sub-centres: each photo's angle to the dominant centre of its class, in a classifier with K centres a class.

Deng et al., "Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web Faces" (ECCV 2020), section 3.3:
the clean photos of a class gather at one dominant centre, and photos far from it are dropped. It serves as a baseline
for the pipeline.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.data.chunk import Chunk
from trainer.data.decode import decode_face
from trainer.data.shards import count_classes, open_faces
from trainer.embedder import to_input
from trainer.run import Run

PHOTOS_AT_ONCE = 65_536  # [65536, 3, 512] float32 are 400 MB


class CentreAngles(NamedTuple):
    """Each photo's angle in degrees [n] to the dominant centre of its class, and that centre's number [classes]."""

    degrees: NDArray[np.float32]
    dominant: NDArray[np.int64]

    def within(self, max_degrees: float = 75.0) -> NDArray[np.bool_]:
        """Which photos [n] are that near; the paper's 75 degrees are a cosine of .2588, 70 and 80 do nearly as well."""
        return self.degrees <= max_degrees


def dominant_angles(x: NDArray[np.floating], label: NDArray[np.integer], centres: NDArray[np.floating]) -> CentreAngles:
    """Each photo's angle to its class's dominant centre: the one that most of the class's photos are nearest to.

    x [n, d], label [n] in 0..classes-1, centres [classes, K, d] or [classes, d], all of any norm. Of centres with equal
    counts the first is taken; a class without photos has centre 0.
    """
    centres = np.asarray(centres if centres.ndim == 3 else centres[:, None], np.float32)
    centres = centres / np.maximum(np.linalg.norm(centres, axis=2, keepdims=True), 1e-12)
    cosine = np.concatenate(
        [
            _cosines(x[i : i + PHOTOS_AT_ONCE], centres[label[i : i + PHOTOS_AT_ONCE]])
            for i in range(0, len(x), PHOTOS_AT_ONCE)
        ]
    )
    classes, k = centres.shape[:2]
    nearest = np.bincount(label * k + cosine.argmax(1), minlength=classes * k).reshape(classes, k)
    dominant = nearest.argmax(1)
    own = cosine[np.arange(len(x)), dominant[label]]
    return CentreAngles(np.degrees(np.arccos(own.clip(-1, 1))).astype(np.float32), dominant)


def _cosines(x: NDArray[np.floating], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines [n, K] of x [n, d] to each of n classes' centres [n, K, d] of norm 1."""
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    cosine: NDArray[np.float32] = np.einsum("nd,nkd->nk", unit.astype(np.float32), centres)
    return cosine


class PhotoAngles(NamedTuple):
    """The keys of a data set's photos [n], and their angles."""

    keys: list[str]
    angles: CentreAngles


def angles_to_centres(checkpoint_file: str | Path, data: str | Path) -> PhotoAngles:
    """The angles of the photos that a checkpoint was trained on, each to its class's dominant centre.

    Raises UserError when the checkpoint has other classes, or a loss that compares no cosines.
    """
    saved, faces = checkpoint.load(checkpoint_file), open_faces(data)
    centres = saved.objective.get("weight")
    if centres is None or len(centres) != count_classes(faces) or centres.shape[-1] != saved.run.embedding:
        raise UserError(f"{checkpoint_file} holds no class centres of {data}: give the data it was trained on")
    net, run = checkpoint.load_backbone(checkpoint_file)
    chunks = [faces.read(c) for c in range(len(faces.rows))]
    x = np.concatenate([_embed(net, run, c) for c in chunks])
    label = np.concatenate([c.label for c in chunks])
    return PhotoAngles([n for c in chunks for n in c.name], dominant_angles(x, label, centres.numpy()))


@torch.inference_mode()
def _embed(net: torch.nn.Module, run: Run, chunk: Chunk) -> NDArray[np.floating]:
    faces = [_face(j, n, run) for j, n in zip(chunk.jpeg, chunk.name, strict=True)]
    x = to_input(torch.from_numpy(np.stack(faces).transpose(0, 3, 1, 2)))
    return np.asarray(net(x).numpy())


def _face(jpeg: bytes, name: str, run: Run) -> NDArray[np.uint8]:
    face = decode_face(jpeg, size=run.size, channels=run.channels)
    if face is None:  # a training would have raised this too
        raise UserError(f"{name} is no picture that can be decoded: refine or export the data set again")
    return face
