"""A checkpoint: everything a training needs to continue, in one file that appears whole or not at all.

The classifier is kept whole, not by rank, so a run may continue on another number of ranks. All random numbers of an
update (dropout, sampled classes, flips) follow from the seed and the update's number, so no generator's state is kept.
Files are read with torch's restricted unpickler: tensors and plain values, no code.
"""

import errno
import os
import pickle
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.backbones import make_backbone
from trainer.run import Run, from_dict

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training; the fields are the keys of the file."""

    run: Run
    data: str  # the data set's digest (see data.shards)
    classes: int
    seen: int  # photos trained on, over all ranks and epochs
    best: float  # first figure of the first test set; below 0: not measured yet
    backbone: dict[str, Tensor]
    optimizer: dict[str, Any]
    objective: dict[str, Tensor]
    scaler: dict[str, Any]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint. UserError when the disk is full; an earlier file then stays as it was."""
    value = {f: getattr(checkpoint, f) for f in checkpoint.__dataclass_fields__}
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as stream:
            torch.save(value | {"format": FORMAT, "run": asdict(checkpoint.run)}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError for the disk's OSError
        what = "no room left on the disk" if _disk_is_full(error, path.parent) else f"cannot write ({error})"
        earlier = f"{path} is as it was" if path.exists() else "there is no earlier checkpoint"
        raise UserError(f"{what} at a checkpoint in {path.parent}: free some and run again; {earlier}") from None
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | Path, *, device: str = "cpu") -> Checkpoint:
    """The checkpoint in a file. UserError when the file does not exist, was cut short or is of another version."""
    try:
        value = torch.load(path, map_location=device, weights_only=True)
        if value.pop("format") != FORMAT:
            raise UserError(f"{path} is a checkpoint of another version: train again, or use the version that wrote it")
        return Checkpoint(**value | {"run": from_dict(value["run"])})
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}") from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError):
        raise UserError(f"{path} is no checkpoint, or was cut short: give best.pt or last.pt of a training") from None


def build_backbone(run: Run) -> nn.Module:
    """The untrained backbone of a run."""
    net = make_backbone(
        run.backbone, embedding=run.embedding, channels=run.channels, size=run.size, dropout=run.dropout
    )
    net.recompute = run.recompute
    return net


def load_weights(net: nn.Module, checkpoint: Checkpoint, *, path: str | Path) -> None:
    """Load a checkpoint's weights into a backbone. UserError, naming the path, when they are another network's."""
    try:
        net.load_state_dict(checkpoint.backbone)
    except RuntimeError:
        raise UserError(
            f"the weights in {path} are not those of {checkpoint.run.backbone} with an embedding of "
            f"{checkpoint.run.embedding}: it is another network's checkpoint"
        ) from None


def load_backbone(path: str | Path, *, device: str = "cpu") -> tuple[nn.Module, Run]:
    """The backbone in a checkpoint file, in evaluation mode, and its run."""
    checkpoint = load(path, device=device)
    net = build_backbone(checkpoint.run)
    load_weights(net, checkpoint, path=path)
    return net.to(device).eval(), checkpoint.run


def _disk_is_full(error: BaseException, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return True
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < 1 << 16
