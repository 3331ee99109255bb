"""Everything a training needs to go on, in one file that appears whole or not at all.

The classifier is kept whole, not by rank, so a run may go on with another number of ranks. What is random in a step
(dropout, sampled classes, flips) is drawn from the seed and the step's number, so there is no generator's state that
could be lost. Files are read with torch's restricted unpickler: tensors and plain values, no code.
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
from trainer.backbones import backbone
from trainer.run import Run, from_dict

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A stopped training: the run, the data it is of, photos seen, and the state of everything that learns."""

    run: Run
    data: str  # digest of the labels and of where the pictures lie
    classes: int
    seen: int
    best: float  # of the first test set; below 0: not measured yet
    backbone: dict[str, Tensor]
    optimizer: dict[str, Any]
    objective: dict[str, Tensor]
    scaler: dict[str, Any]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint. UserError when there is no room; the one that was there before stays as it was."""
    value = {f: getattr(checkpoint, f) for f in checkpoint.__dataclass_fields__}
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as stream:
            torch.save(value | {"format": FORMAT, "run": asdict(checkpoint.run)}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch hides what the disk said behind an error of its own
        what = "no room left on the disk" if _full(error, path.parent) else f"cannot write ({error})"
        kept = f"{path} is as it was" if path.exists() else "no checkpoint was there before"
        raise UserError(f"{what} at a checkpoint in {path.parent}: free some and run again; {kept}") from None
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | Path, *, device: str = "cpu") -> Checkpoint:
    """The checkpoint in a file. UserError when there is none or it was cut short."""
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
    net = backbone(run.backbone, embedding=run.embedding, channels=run.channels, size=run.size, dropout=run.dropout)
    net.recompute = run.recompute
    return net


def fill(net: nn.Module, checkpoint: Checkpoint, *, where: str | Path) -> None:
    """Give a backbone a checkpoint's weights. UserError when they are another network's."""
    try:
        net.load_state_dict(checkpoint.backbone)
    except RuntimeError:
        raise UserError(
            f"the weights in {where} are not those of {checkpoint.run.backbone} with an embedding of "
            f"{checkpoint.run.embedding}: it is another network's checkpoint"
        ) from None


def load_backbone(path: str | Path, *, device: str = "cpu") -> tuple[nn.Module, Run]:
    """The backbone in a checkpoint, ready to embed, and its run."""
    checkpoint = load(path, device=device)
    net = build_backbone(checkpoint.run)
    fill(net, checkpoint, where=path)
    return net.to(device).eval(), checkpoint.run


def _full(error: BaseException, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return True
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < 1 << 16
