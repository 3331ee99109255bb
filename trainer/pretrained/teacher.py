"""The teacher of a distillation: a network whose features a training imitates. It is never changed.

It may be a checkpoint or the model.safetensors of a training, the weights of an IResNet of another program, or an
ONNX file of the ArcFace kind, which computes on one thread of the CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import UserError, first_line
from trainer.backbones import make_backbone
from trainer.export import open_session
from trainer.losses.distillation import DistillationLoss, parse_distillation
from trainer.own_backbone import own_backbone
from trainer.pretrained.layouts import rename
from trainer.pretrained.onnx_weights import pixel_scale, read_graph
from trainer.pretrained.start import load_state
from trainer.pretrained.weight_file import read_weights
from trainer.run import Run
from trainer.whole_file import file_digest


@dataclass(frozen=True)
class Teaching:
    """From which network a training learns, and how. teacher: its file; "": none. loss: see parse_distillation.

    Raises UserError for a loss that is not known.
    """

    teacher: str = ""
    loss: str = ""

    def __post_init__(self) -> None:
        if self.loss and not self.teacher:
            raise UserError(f"distillation {self.loss!r} needs a network to learn from: give --teacher FILE")
        if self.teacher:
            parse_distillation(self.loss or "cosine")

    @property
    def term(self) -> DistillationLoss:
        """The term of the loss."""
        return parse_distillation(self.loss or "cosine")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What decides the result, for checkpoints: the digest of the file, and the loss; {} without a teacher."""
        if not self.teacher:
            return {}
        return {"teacher": file_digest(self.teacher), "distillation": f"{self.term.kind}:weight={self.term.weight:g}"}


@dataclass(frozen=True)
class Teacher:
    """features(faces [n, c, s, s] from -1 to 1) gives the features [n, dim] of a teacher, without gradient."""

    features: Callable[[Tensor], Tensor]
    dim: int


def load_teacher(path: str, run: Run, device: torch.device) -> Teacher:
    """The teacher in a file, for the faces of a run.

    Raises UserError for a file that is no such network, that takes other faces than the run's, or that gives vectors
    which are not finite.
    """
    features = _onnx_features(path) if Path(path).suffix == ".onnx" else _network_features(path, run, device)
    try:
        vectors = features(torch.zeros(2, run.channels, run.size, run.size, device=device))
    except Exception as error:  # noqa: BLE001  torch and onnxruntime raise many kinds for faces of another shape
        raise UserError(
            f"the teacher {path} does not take faces of {run.input} ({first_line(error)}): "
            "give one that does, or another --set input="
        ) from None
    if vectors.ndim != 2 or len(vectors) != 2:
        raise UserError(f"the teacher {path} gives no vector for each face: give a network for embeddings")
    if not vectors.isfinite().all():
        raise UserError(f"the teacher {path} gives vectors that are not finite: give another")
    return Teacher(features, vectors.shape[1])


def _network_features(path: str, run: Run, device: torch.device) -> Callable[[Tensor], Tensor]:
    net: nn.Module
    if own := own_backbone(path, device=str(device)):
        net, trained = own
        if trained.input != run.input:
            raise UserError(f"the teacher {path} takes faces of {trained.input}, the run {run.input}: give another")
    else:
        named = rename(read_weights(path), path=path)
        other = make_backbone(named.backbone, embedding=named.embedding, channels=run.channels, size=run.size)
        load_state(other, named.weights, path)
        net = other.to(device).eval()
    net = net.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]

    @torch.no_grad()
    def features(faces: Tensor) -> Tensor:
        vectors: Tensor = net(faces)
        return vectors

    return features


def _onnx_features(path: str) -> Callable[[Tensor], Tensor]:
    scale = pixel_scale(read_graph(path))
    session = open_session(Path(path))
    (name, *_) = [i.name for i in session.get_inputs()]

    def features(faces: Tensor) -> Tensor:
        pixels = faces.detach().float().cpu().contiguous()
        pixels = pixels * 127.5 + 127.5 if scale else pixels
        vectors = np.asarray(session.run(None, {name: pixels.numpy()})[0])
        return torch.from_numpy(vectors).to(faces)

    return features
