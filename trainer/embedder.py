"""The embedder that the pipeline uses when its model is a checkpoint or .safetensors and not an ONNX file.

It computes on a GPU where there is one.
"""

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
from trainer import checkpoint, safetensors_file
from trainer.data.decode import resize_square
from trainer.run import Run

FLIPS = ("none", "add", "concatenate")
MEAN = STD = 127.5
# each Python thread has its own number of torch threads, fixed when the thread first calls this function; the call
# here fixes it for the importing thread, which may train, before _compute_on_one_thread sets 1 in threads that embed
torch.get_num_threads()


@dataclass(frozen=True)
class Embedder:
    """Computes embeddings with the backbone in a checkpoint, or in the model.safetensors of a training.

    flip: "add" adds the embedding of the mirrored face, "concatenate" appends it, "none" embeds the face only.
    """

    model: str  # path of the file
    flip: str = "none"
    precision: str = "fp32"  # fp32, or bf16 on a GPU

    def __post_init__(self) -> None:
        if self.flip not in FLIPS:
            raise UserError(f"flip {self.flip!r}: expected one of {', '.join(FLIPS)}")

    @property
    def named_by(self) -> list[Any]:
        """The embedder's part of a table's name: the digest of the file, the flip and the precision."""
        return ["checkpoint", _file_digest(self.model), self.flip, self.precision]

    @property
    def dim(self) -> int:
        """The length of the embeddings."""
        return _load_once(self.model)[1].embedding * (2 if self.flip == "concatenate" else 1)

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The embeddings [n, dim] of aligned faces [n, 112, 112, 3] in BGR, not normalised."""
        net, run = _load_once(self.model)
        _compute_on_one_thread()
        return embed_faces(net, run, faces, flip=self.flip, precision=self.precision)


@torch.inference_mode()
def embed_faces(
    net: nn.Module, run: Run, faces: NDArray[np.uint8], *, flip: str = "none", precision: str = "fp32"
) -> NDArray[np.float32]:
    """The embeddings [n, dim], not normalised, of faces [n, h, w, 3] in BGR.

    Each face is first converted to the size and channels that the run's network takes. flip, precision: see Embedder.
    """
    if not len(faces):
        return np.zeros((0, run.embedding * (2 if flip == "concatenate" else 1)), np.float32)
    device = next(net.parameters()).device
    resized = np.stack([resize_square(_to_channels(f, run.channels), size=run.size) for f in faces])
    x = to_input(torch.from_numpy(np.ascontiguousarray(resized.transpose(0, 3, 1, 2))).to(device))
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        y = net(x)
        if flip != "none":
            mirrored = net(x.flip(3))
            y = y + mirrored if flip == "add" else torch.cat([y, mirrored], 1)
    return np.asarray(y.float().cpu().numpy(), np.float32)


def to_input(faces: Tensor) -> Tensor:
    """The network's input from faces [n, c, s, s] uint8: floats from -1 to 1, channels last in memory."""
    return ((faces.to(torch.get_default_dtype()) - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def _to_channels(face: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """A BGR face [h, w, 3] in RGB (3 channels) or in grey (1 channel)."""
    if channels == 3:
        return face[..., ::-1]
    weights = np.array([0.114, 0.587, 0.299], np.float32)  # of blue, green and red (luma of ITU-R BT.601)
    return np.asarray(np.rint(face @ weights)[..., None], np.uint8)


def _compute_on_one_thread() -> None:
    """Make torch compute on one thread in the calling thread, as the ONNX embedder does.

    Shards are already embedded in parallel, one on each core. With several torch threads for each shard there would be
    cores x cores threads that wait for each other, and sums would depend on the number of cores.
    """
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


@cache
def _load_once(path: str) -> tuple[nn.Module, Run]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    is_published = path.endswith(safetensors_file.SUFFIX)
    load_backbone = safetensors_file.load_backbone if is_published else checkpoint.load_backbone
    net, run = load_backbone(path, device=device)
    return net.to(memory_format=torch.channels_last), run  # type: ignore[call-overload]


@cache
def _file_digest(path: str) -> str:
    try:
        return blake2b(Path(path).read_bytes(), digest_size=10).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}): give best.pt, last.pt or model.safetensors") from None
