"""A checkpoint: everything that a training needs to continue, in one file. The file is written whole or not at all.

It holds the classifier of all ranks, so a run may continue on another number of ranks. All random numbers of an update
(dropout, sampled classes, flips) follow from the seed and the update's number, so no generator state is stored.
Files are read with torch's restricted unpickler, which loads tensors and plain values and runs no code.
"""

import errno
import os
import pickle
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.whole_files import whole_file
from trainer.backbones import make_backbone
from trainer.losses.distillation import WEIGHT as TEACHER_MAP
from trainer.run import Run, run_from_dict
from trainer.whole_file import is_whole

FORMAT = 1  # version of the file's keys


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training; the fields are the keys of the file.

    With norm local each rank has statistics of its own batches in its batch norms: `backbone` holds rank 0's.
    """

    run: Run
    data: str  # digest of the data set: ParquetFaces.digest or RecordFaces.digest
    classes: int  # number of identities
    seen: int  # photos trained on so far, over all ranks and epochs
    best: float  # best value so far of the first test set's first figure; below 0: not measured yet
    backbone: dict[str, Tensor]  # the backbone's weights
    optimizer: dict[str, Any]  # state of the backbone's optimizer; {} in a checkpoint that no training continues from
    objective: dict[str, Tensor]  # classifier and class centres, with the state of their optimizer
    scaler: dict[str, Any]  # state of the loss scaling (fp16)
    start: dict[str, Any] = field(default_factory=dict)  # loop.learner.Learner.settings
    names: tuple[str, ...] = ()  # the identity of each class; () where the data set did not name them
    ranks: int = 0  # that trained it last; 0: not recorded

    def without_optimizer(self) -> "Checkpoint":
        """The model alone: backbone, classifier, class centres and the map to a teacher, a third or half of all."""
        states = ("optimizer.", f"{TEACHER_MAP}.")
        objective = {name: value for name, value in self.objective.items() if not name.startswith(states)}
        return replace(self, optimizer={}, objective=objective, scaler={})


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint. Raises UserError when it cannot be written; an earlier file at the path is then unchanged."""
    content = {f: getattr(checkpoint, f) for f in checkpoint.__dataclass_fields__}
    try:
        with whole_file(path) as temporary, open(temporary, "wb") as stream:
            try:
                torch.save(content | {"format": FORMAT, "run": asdict(checkpoint.run)}, stream)
            except (OSError, RuntimeError) as error:  # torch raises RuntimeError for the disk's OSError
                if _disk_is_full(error, path.parent):  # asked while the half-written file takes the room
                    raise OSError(errno.ENOSPC, "no room left on the disk") from None
                raise
    except (OSError, RuntimeError) as error:
        reason = "no room left on the disk" if isinstance(error, OSError) and error.errno == errno.ENOSPC else error
        earlier = f"the earlier {path.name} is unchanged" if path.exists() else "there is no earlier checkpoint"
        raise UserError(
            f"cannot write the checkpoint {path} ({reason}): make room on the disk and run again; {earlier}"
        ) from None


def load(path: str | Path) -> Checkpoint:
    """The checkpoint in a file, its tensors in CPU memory: parts of the file, which are read when they are needed.

    Raises UserError when the file does not exist, is not as it was written, or was written by another version.
    """
    try:
        if not is_whole(path):
            raise ValueError("a checksum differs")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if content.pop("format") != FORMAT:
            raise UserError(f"{path} is a checkpoint of another version: train again, or use the version that wrote it")
        return Checkpoint(**content | {"run": run_from_dict(content["run"])})
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}: give best.pt or last.pt of a training") from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError):
        raise UserError(f"{path} is not a checkpoint, or is damaged: give best.pt or last.pt of a training") from None


def build_backbone(run: Run) -> nn.Module:
    """The backbone that a run's settings name, with untrained weights."""
    net = make_backbone(
        run.backbone, embedding=run.embedding, channels=run.channels, size=run.size, dropout=run.dropout
    )
    net.recompute = run.recompute
    return net


def load_weights(net: nn.Module, checkpoint: Checkpoint, *, path: str | Path) -> None:
    """Load a checkpoint's weights into a backbone; path: the checkpoint's file, for messages.

    Raises UserError when the weights are those of another network.
    """
    try:
        net.load_state_dict(checkpoint.backbone)
    except RuntimeError:
        raise UserError(
            f"the weights in {path} are not those of {checkpoint.run.backbone} with an embedding of "
            f"{checkpoint.run.embedding}: it is another network's checkpoint"
        ) from None


def load_backbone(path: str | Path, *, device: str = "cpu") -> tuple[nn.Module, Run]:
    """The trained backbone in a checkpoint file, in evaluation mode on this device, and the run that trained it.

    Nothing but the backbone gets to the device: a classifier of a million classes and its optimizer are many GB.
    """
    checkpoint = load(path)
    net = build_backbone(checkpoint.run)
    load_weights(net, checkpoint, path=path)
    return net.to(device).eval(), checkpoint.run


def recorded_norm(path: Path) -> str:
    """The norm of the training in a checkpoint's file, sync where it was written before there was a choice.

    "" for a file that cannot be read: load() says what is wrong with it.
    """
    try:
        content = torch.load(path, map_location="meta", weights_only=True)
        return run_from_dict(content["run"]).norm
    except Exception:  # noqa: BLE001
        return ""


def _disk_is_full(error: BaseException, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return True
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < 1 << 16
