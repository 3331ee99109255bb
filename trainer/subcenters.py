"""Cleaning by sub-centres: what a classifier with K centres a class has itself found to be noise.

Trained with sub-centre ArcFace (Deng et al., "Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web
Faces", ECCV 2020, section 3.3), the clean photos of a class gather at one dominant centre. Photos far from it are
dropped. It is here to be compared with the pipeline, which asks more than one question of a photo.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.data.batches import decode
from trainer.data.shards import Content, open_faces
from trainer.embedder import to_input
from trainer.run import Run

_BLOCK = 65_536  # photos at a time: [65536, 3, 512] float32 are 400 MB


class CentreAngles(NamedTuple):
    """Each photo's angle in degrees [n] to the dominant centre of its class, and which that is for each class."""

    degrees: NDArray[np.float32]
    dominant: NDArray[np.int64]

    def within(self, max_degrees: float = 75.0) -> NDArray[np.bool_]:
        """Which photos [n] stay. 75 degrees, a cosine of .2588, is the paper's; 70 and 80 do nearly as well there."""
        return self.degrees <= max_degrees


def dominant_angles(x: NDArray[np.floating], label: NDArray[np.integer], centres: NDArray[np.floating]) -> CentreAngles:
    """How far each photo is from its class's dominant centre: the one that most of the class's photos are nearest to.

    x [n, d], label [n] in 0..classes-1, centres [classes, K, d] or [classes, d], none of which need have norm 1. Equal
    counts: the lower number. A class without photos has centre 0.
    """
    centres = np.asarray(centres if centres.ndim == 3 else centres[:, None], np.float32)
    centres = centres / np.maximum(np.linalg.norm(centres, axis=2, keepdims=True), 1e-12)
    cosine = np.concatenate(
        [_cosines(x[i : i + _BLOCK], centres[label[i : i + _BLOCK]]) for i in range(0, len(x), _BLOCK)]
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
    """The photos [n] of a data set by what they are called there, and their angles."""

    keys: list[str]
    angles: CentreAngles


def angles_to_centres(trained: str | Path, data: str | Path) -> PhotoAngles:
    """The angles of the photos that a checkpoint was trained on, each to its class's dominant centre.

    Raises UserError when the checkpoint is of other classes, or of a loss that keeps no cosines.
    """
    kept, faces = checkpoint.load(trained), open_faces(data)
    centres = kept.objective.get("weight")
    if centres is None or len(centres) != int(faces.labels.max()) + 1 or centres.shape[-1] != kept.run.embedding:
        raise UserError(f"{trained} holds no class centres of {data}: give the data it was trained on")
    net, run = checkpoint.load_backbone(trained)
    contents = [faces.read(c) for c in range(len(faces.rows))]
    x = np.concatenate([_embedded(net, run, c) for c in contents])
    label = np.concatenate([c.label for c in contents])
    return PhotoAngles([n for c in contents for n in c.name], dominant_angles(x, label, centres.numpy()))


@torch.inference_mode()
def _embedded(net: torch.nn.Module, run: Run, content: Content) -> NDArray[np.floating]:
    pictures = [_picture(j, n, run) for j, n in zip(content.jpeg, content.name, strict=True)]
    x = to_input(torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2)))
    return np.asarray(net(x).numpy())


def _picture(jpeg: bytes, name: str, run: Run) -> NDArray[np.uint8]:
    face = decode(jpeg, size=run.size, channels=run.channels)
    if face is None:  # the training would have stopped at it
        raise UserError(f"{name} is no picture that can be decoded: refine or export the data set again")
    return face
