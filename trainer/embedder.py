"""The embedder that the pipeline uses when its model is a checkpoint or .safetensors and not an ONNX file.

It computes on a card where there is one, in bf16 there: bytes are copied from pinned memory and normalised on the card,
a face and its mirror image are in one batch, and with REFINERY_COMPILE=1 torch compiles the network first.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.data.decode import resize_square
from trainer.own_backbone import load_backbone
from trainer.run import Run
from trainer.whole_file import file_digest

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
    precision: str = "fp32"  # or bf16
    device: str = ""  # such as cpu or cuda:1; "": a card where there is one

    def __post_init__(self) -> None:
        if self.flip not in FLIPS:
            raise UserError(f"flip {self.flip!r}: expected one of {', '.join(FLIPS)}")

    @property
    def on_card(self) -> bool:
        """Whether a card runs it, which wants batches."""
        return _torch_device(self.device).type == "cuda"

    @property
    def named_by(self) -> list[Any]:
        """The embedder's part of a table's name: the digest of the file, the flip and the precision."""
        return ["checkpoint", _digest_once(self.model), self.flip, self.precision]

    @property
    def dim(self) -> int:
        """The length of the embeddings."""
        return self._loaded()[1].embedding * (2 if self.flip == "concatenate" else 1)

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The embeddings [n, dim] of aligned faces [n, 112, 112, 3] in BGR, not normalised."""
        net, run = self._loaded()
        _compute_on_one_thread()
        return embed_faces(net, run, faces, flip=self.flip, precision=self.precision)

    def _loaded(self) -> tuple[nn.Module, Run]:
        return _load_once(self.model, str(_torch_device(self.device)))


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
    x = to_input(_copied(_resized(faces, run), device).permute(0, 3, 1, 2))
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        if flip == "none":
            y = net(x)
        elif device.type == "cuda":
            y = _joined(*net(torch.cat([x, x.flip(3)])).chunk(2), flip=flip)
        else:  # two small batches stay in the cache of a processor
            y = _joined(net(x), net(x.flip(3)), flip=flip)
    return np.asarray(y.float().cpu().numpy(), np.float32)


@torch.inference_mode()
def network_on_device(
    net: nn.Module, run: Run, faces: NDArray[np.uint8], *, precision: str = "fp32"
) -> Callable[[], None]:
    """A function that runs the network alone on faces [n, h, w, 3] that lie on its device, to measure it."""
    device = next(net.parameters()).device
    x = to_input(_copied(_resized(faces, run), device).permute(0, 3, 1, 2))

    @torch.inference_mode()
    def run_network() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            net(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run_network


def _resized(faces: NDArray[np.uint8], run: Run) -> NDArray[np.uint8]:
    """Faces [n, h, w, 3] in BGR in the size and channels of the run's network: [n, s, s, c]."""
    return np.stack([resize_square(_to_channels(f, run.channels), size=run.size) for f in faces])


def _copied(faces: NDArray[np.uint8], device: torch.device) -> Tensor:
    """The faces on a device; from pinned memory a card copies them while it computes."""
    x = torch.from_numpy(faces)
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x


def _joined(own: Tensor, mirrored: Tensor, *, flip: str) -> Tensor:
    return own + mirrored if flip == "add" else torch.cat([own, mirrored], 1)


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


def card_is_usable() -> bool:
    """Whether torch can compute on a card here."""
    return torch.cuda.is_available()


def _torch_device(name: str) -> torch.device:
    """The device of a name; "": a card where there is one. Raises UserError for a card that torch cannot use."""
    if name.startswith("cuda") and not card_is_usable():
        raise UserError(
            f"device {name}: torch cannot use a card here (CUDA of this build: {torch.version.cuda or 'none'}): "
            "run `make EXTRA=gpu install`, or give cpu"
        )
    return torch.device(name or ("cuda" if card_is_usable() else "cpu"))


@cache
def _load_once(path: str, device: str) -> tuple[nn.Module, Run]:
    net, run = load_backbone(path, device=device)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return (torch.compile(net, dynamic=True) if os.environ.get("REFINERY_COMPILE") else net), run  # type: ignore[return-value]


@cache
def _digest_once(path: str) -> str:
    return file_digest(path)
