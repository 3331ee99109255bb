"""The interface of trackers, and those that a training has: TensorBoard files always, others on request.

A tracker gets the settings of the run and the numbers of log.jsonl. It gets no name of an identity, no face and no path
of the data. MLflow and Weights & Biases are imported when they are asked for; their own variables of the environment
(MLFLOW_TRACKING_URI, WANDB_MODE, WANDB_API_KEY...) say where numbers go.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pipeline.errors import UserError
from trainer.run import Run
from trainer.trackers.mlflow_run import MLflowTracker
from trainer.trackers.optional_library import optional_library
from trainer.trackers.tensorboard_files import TensorBoardFiles
from trainer.trackers.wandb_run import WandbTracker


class Tracker(Protocol):
    """Takes the numbers of a training."""

    def log(self, updates: int, numbers: Mapping[str, float]) -> None:
        """Take the values of some numbers, by name, after this many updates."""
        ...

    def close(self) -> None:
        """Send or write what is buffered, and end."""
        ...


# a tracker of a run that writes to this folder, and goes on after so many updates
MakeTracker = Callable[[Path, Run, int], Tracker]
TRACKERS: dict[str, MakeTracker] = {"mlflow": MLflowTracker, "wandb": WandbTracker}


def check_trackers(names: Sequence[str]) -> None:
    """Raise UserError for a tracker that does not exist or is given twice, or whose library cannot be imported."""
    unknown = [name for name in names if name not in TRACKERS]
    if unknown or len(set(names)) < len(names):
        raise UserError(f"--track {' --track '.join(names)}: give each of {', '.join(TRACKERS)} once at most")
    for name in names:
        optional_library(name)


def open_trackers(names: Sequence[str], out: Path, run: Run, *, updates: int) -> list[Tracker]:
    """TensorBoard files in `out`, and the trackers with these names; updates: made before, of which numbers are there.

    names: checked by check_trackers. Raises UserError where a tracker does not start.
    """
    return [TensorBoardFiles(out, run, updates), *(TRACKERS[name](out, run, updates) for name in names)]
