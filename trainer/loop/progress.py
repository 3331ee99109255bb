"""The progress of a training, saved in its folder as two checkpoints.

The training continues from last.pt (resume.py). best.pt is the model with the best figure on the first test set.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from trainer import checkpoint
from trainer.checkpoint import Checkpoint
from trainer.data.data_set import Faces, count_classes, identity_names
from trainer.distributed.ranks import rank, world_size
from trainer.distributed.transfer import copied_to_cpu
from trainer.loop.background_task import BackgroundTask
from trainer.loop.learner import Learner
from trainer.run import Run
from trainer.whole_file import BEST, LAST


class Training(NamedTuple):
    """One training: its settings, its data set, its output folder and its learner."""

    run: Run
    faces: Faces
    out: Path
    learner: Learner


class Progress(NamedTuple):
    """The number of updates made so far, and the latest measurements.

    best: the best value so far of the first test set's first figure, below 0 before the first measurement. figures: the
    latest figures of every test set. signal: the number of the signal that stops the training, 0 for none.
    """

    updates: int
    best: float
    loss: float = float("nan")
    figures: Mapping[str, dict[str, float]] = MappingProxyType({})
    signal: int = 0


def save(training: Training, progress: Progress, writer: BackgroundTask) -> Progress:
    """Write last.pt, and best.pt when the first test set's first figure is the best so far; all ranks call this.

    Returns the progress with its `best` updated, as soon as the state is copied to CPU memory: `writer` writes it to
    the disk. best.pt is the model alone, from which no training continues.
    """
    run, faces, out, learner = training
    backbone_optimizer, objective_optimizer = learner.optimizers
    objective = learner.objective.whole_state(objective_optimizer)  # all ranks send their part
    if rank() > 0:
        return progress
    first_set: Mapping[str, float] = next(iter(progress.figures.values()), {})
    figure = next(iter(first_set.values()), -1.0)
    saved = Checkpoint(
        run=run,
        data=faces.digest,
        classes=count_classes(faces),
        seen=progress.updates * run.batch,
        best=max(progress.best, figure),
        backbone=copied_to_cpu(learner.net.state_dict()),
        optimizer=copied_to_cpu(backbone_optimizer.state_dict()),
        objective=objective,
        scaler=learner.scaler.state_dict(),
        start=learner.start.settings,
        names=identity_names(faces),
        ranks=world_size(),
    )

    def write() -> None:
        if figure > progress.best:
            checkpoint.save(out / BEST, saved.without_optimizer())
        checkpoint.save(out / LAST, saved)

    writer.start(write)
    return progress._replace(best=saved.best)
