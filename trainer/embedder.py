"""A checkpoint as an embedder for the pipeline: on a GPU in bf16 and large batches, in place of the ONNX one."""

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.data.batches import fit
from trainer.run import Run

FLIPS = ("none", "add", "concatenate")
MEAN = STD = 127.5
torch.get_num_threads()  # settles the count of the thread that loads this and may train: torch asks late and once


@dataclass(frozen=True)
class Embedder:
    """The backbone in a checkpoint; calling it gives the vectors of a batch of faces."""

    model: str
    flip: str = "none"  # the mirrored face's vector is not used, added, or appended
    precision: str = "fp32"  # fp32, or bf16 on a GPU

    def __post_init__(self) -> None:
        if self.flip not in FLIPS:
            raise UserError(f"flip {self.flip!r} is not known: give one of {', '.join(FLIPS)}")

    @property
    def named_by(self) -> list[Any]:
        """What of the embedder names a table: the file's digest, the flip and the precision."""
        return ["checkpoint", _digest(self.model), self.flip, self.precision]

    @property
    def dim(self) -> int:
        """The length of the vectors."""
        return _loaded(self.model)[1].embedding * (2 if self.flip == "concatenate" else 1)

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The vectors [n, dim] of aligned faces [n, 112, 112, 3] in BGR, as long as the network made them."""
        net, run = _loaded(self.model)
        _compute_on_one_thread()
        return embed(net, run, faces, flip=self.flip, precision=self.precision)


@torch.inference_mode()
def embed(
    net: nn.Module, run: Run, faces: NDArray[np.uint8], *, flip: str = "none", precision: str = "fp32"
) -> NDArray[np.float32]:
    """The vectors [n, dim] of faces [n, h, w, 3] in BGR, resized and greyed as the run's network wants them."""
    if not len(faces):
        return np.zeros((0, run.embedding * (2 if flip == "concatenate" else 1)), np.float32)
    device = next(net.parameters()).device
    shaped = np.stack([fit(_coloured(f, run.channels), size=run.size) for f in faces])
    x = to_input(torch.from_numpy(np.ascontiguousarray(shaped.transpose(0, 3, 1, 2))).to(device))
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        found = net(x)
        if flip != "none":
            mirrored = net(x.flip(3))
            found = found + mirrored if flip == "add" else torch.cat([found, mirrored], 1)
    return np.asarray(found.float().cpu().numpy(), np.float32)


def to_input(faces: Tensor) -> Tensor:
    """uint8 faces [n, c, s, s] as a network takes them: floats from -1 to 1, channels last in memory."""
    return ((faces.to(torch.get_default_dtype()) - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def _coloured(face: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if channels == 3:
        return face[..., ::-1]
    weights = np.array([0.114, 0.587, 0.299], np.float32)  # of blue, green and red in luma (ITU-R BT.601)
    return np.asarray(np.rint(face @ weights)[..., None], np.uint8)


def _compute_on_one_thread() -> None:
    """The calling thread computes alone from now on: shards are what runs in parallel, as with the ONNX embedder.

    A team of threads a shard is cores x cores threads on a CPU, which wait for each other; and sums would depend on the
    machine's cores.
    """
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


@cache
def _loaded(path: str) -> tuple[nn.Module, Run]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net, run = checkpoint.load_backbone(path, device=device)
    return net.to(memory_format=torch.channels_last), run  # type: ignore[call-overload]


@cache
def _digest(path: str) -> str:
    try:
        return blake2b(Path(path).read_bytes(), digest_size=10).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {path} ({error.strerror}): give best.pt or last.pt") from None
