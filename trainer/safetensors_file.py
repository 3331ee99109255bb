"""A backbone as a .safetensors file that says itself which network it holds: the form in which a model is published.

The header's metadata has one entry, which names the network, the length of the embedding and the input; so the same
weights always give the same bytes. The file holds no code, and none of the training's data.
"""

import json
import struct
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from pipeline.errors import UserError, first_line
from trainer.checkpoint import build_backbone
from trainer.export import inference_copy, replace_file_when_written
from trainer.run import Run

SUFFIX = ".safetensors"
NETWORK = "face_embedder"  # the entry of the metadata
FIELDS = ("backbone", "embedding", "input")  # of a run, which describe the network
UNREADABLE = (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError, struct.error)


def save_backbone(net: nn.Module, run: Run, path: Path) -> None:
    """Write a run's backbone. Raises UserError when the file cannot be written; an earlier one is then unchanged."""
    tensors = {name: tensor.contiguous() for name, tensor in inference_copy(net).state_dict().items()}
    network = json.dumps({name: getattr(run, name) for name in FIELDS}, allow_nan=False)
    with replace_file_when_written(path) as temporary:
        save_file(tensors, temporary, {NETWORK: network})


def described_run(path: str | Path) -> Run | None:
    """The run whose backbone a file of save_backbone() holds; None for a file that names no network.

    Fields that do not describe the network have their defaults. Raises UserError for a file that cannot be read.
    """
    try:
        with safe_open(str(path), "pt") as file:
            text = (file.metadata() or {}).get(NETWORK)
        if text is None:
            return None
        named = json.loads(text)
        return Run(**{name: named[name] for name in FIELDS})
    except FileNotFoundError:
        raise UserError(f"there is no {path}: give a model.safetensors of a training") from None
    except UNREADABLE as error:
        raise _unreadable(path, error) from None


def load_backbone(path: str | Path, *, device: str = "cpu") -> tuple[nn.Module, Run]:
    """The backbone in a file, in evaluation mode on this device, and a run that describes it.

    Raises UserError for a file that names no network, or holds the weights of another one.
    """
    run = described_run(path)
    if run is None:
        raise UserError(
            f"{path} does not say which network it holds: give the model.safetensors of a training, or train from it "
            "with --init"
        )
    try:
        net = build_backbone(run)
        net.load_state_dict(load_file(str(path)))
    except UNREADABLE as error:
        raise _unreadable(path, error) from None
    if not all(torch.isfinite(t).all() for t in net.state_dict().values()):
        raise UserError(f"{path} holds weights that are not finite: give another file")
    return net.to(device).eval(), run


def _unreadable(path: str | Path, error: Exception) -> UserError:
    if isinstance(error, UserError):
        return error
    return UserError(f"{path} is not a model of a training, or is damaged ({first_line(error)}): give another file")
