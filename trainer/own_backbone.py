"""The backbone in a file of a training: in a checkpoint, or in the model.safetensors that is published."""

from pathlib import Path

import torch
from torch import nn

from trainer import checkpoint, safetensors_file
from trainer.run import Run

KEYS = {"format", "run", "objective", "backbone"}  # of a checkpoint, which files of other programs do not have


def own_backbone(path: str, *, device: str = "cpu") -> tuple[nn.Module, Run] | None:
    """The backbone in evaluation mode on this device, and the run that describes it; None for another program's file.

    Raises UserError where the weights are not those of the network that the file names.
    """
    if path.endswith(safetensors_file.SUFFIX):
        is_own = safetensors_file.described_run(path) is not None
    else:
        is_own = is_own_checkpoint(path)
    return load_backbone(path, device=device) if is_own else None


def load_backbone(path: str, *, device: str = "cpu") -> tuple[nn.Module, Run]:
    """As own_backbone(), for a file that must be of a training. Raises UserError for one that is not."""
    if path.endswith(safetensors_file.SUFFIX):
        return safetensors_file.load_backbone(path, device=device)
    return checkpoint.load_backbone(path, device=device)


def is_own_checkpoint(path: str) -> bool:
    """Whether a file is a checkpoint of this package, by its keys; not whether the rest of it is whole."""
    if Path(path).suffix == safetensors_file.SUFFIX:
        return False
    try:
        content = torch.load(path, map_location="meta", weights_only=True)
    except Exception:  # noqa: BLE001  the reader of weights says what is wrong
        return False
    return isinstance(content, dict) and content.keys() >= KEYS
