"""The progress of a training, saved in its folder as two checkpoints.

The training continues from last.pt. best.pt is the checkpoint with the best figure on the first test set.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.checkpoint import Checkpoint
from trainer.data.data_set import Faces, count_classes, identity_names
from trainer.distributed.ranks import rank
from trainer.loop.first_weights import load_first_weights
from trainer.loop.learner import Learner
from trainer.run import Run, differing_fields
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


def resume(training: Training) -> Progress:
    """Load last.pt of the training's folder into the learner; returns its progress.

    Without a last.pt it is of 0 updates, and the weights are those of the training's start. A finished training goes on
    when the run has more updates and is the same otherwise. Raises UserError when last.pt is of another run or start,
    or of a training on other data.
    """
    run, faces, out, learner = training
    if not (out / LAST).exists():
        load_first_weights(run, faces, learner)
        return Progress(updates=0, best=-1.0)
    saved = checkpoint.load(out / LAST)
    updates = saved.seen // saved.run.batch
    is_longer = updates == saved.run.steps < run.steps  # a finished training goes on to more updates
    changed = differing_fields(replace(saved.run, steps=run.steps) if is_longer else saved.run, run)
    changed += [f"another start or teacher: {name}" for name in _differing(saved.start, learner.settings)]
    if changed:
        raise UserError(f"{out} holds another training ({'; '.join(changed)}): give a new --out, or the same run")
    if saved.data != faces.digest:
        raise UserError(f"{out} holds a training on other data than {faces.path}: give a new --out, or the same data")
    checkpoint.load_weights(learner.net, saved, path=out / LAST)
    backbone_optimizer, objective_optimizer = learner.optimizers
    backbone_optimizer.load_state_dict(saved.optimizer)
    learner.objective.load_whole_state(saved.objective, objective_optimizer)
    learner.scaler.load_state_dict(saved.scaler)
    return Progress(updates=updates, best=saved.best)


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted({*a, *b}) if a.get(name) != b.get(name)]


def save(training: Training, progress: Progress) -> Progress:
    """Write last.pt, and best.pt when the first test set's first figure is the best so far; all ranks call this.

    Returns the progress with its `best` updated.
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
        backbone={k: v.cpu() for k, v in learner.net.state_dict().items()},
        optimizer=backbone_optimizer.state_dict(),
        objective=objective,
        scaler=learner.scaler.state_dict(),
        start=learner.settings,
        names=identity_names(faces),
    )
    if figure > progress.best:
        checkpoint.save(out / BEST, saved)
    checkpoint.save(out / LAST, saved)
    return progress._replace(best=saved.best)
