"""How far a training is, kept in its folder: last.pt, which it continues from, and best.pt, its best checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.checkpoint import Checkpoint
from trainer.data.shards import Faces, count_classes
from trainer.distributed.ranks import rank
from trainer.loop.learner import Learner
from trainer.run import Run, differing

LAST, BEST = "last.pt", "best.pt"


class Training(NamedTuple):
    """What is trained, on which data set, and the folder that it is kept in."""

    run: Run
    faces: Faces
    out: Path
    learner: Learner


class Progress(NamedTuple):
    """How far a training is: updates made, the best figure (below 0: none yet), and what was measured last.

    signal: the number of the signal that stops it, 0 for none.
    """

    updates: int
    best: float
    loss: float = float("nan")
    figures: Mapping[str, dict[str, float]] = MappingProxyType({})
    signal: int = 0


def resume(training: Training) -> Progress:
    """The progress of the checkpoint in the folder, whose state the learner takes; without one, no progress."""
    run, faces, out, learner = training
    if not (out / LAST).exists():
        return Progress(updates=0, best=-1.0)
    saved = checkpoint.load(out / LAST)
    if changed := differing(saved.run, run):
        raise UserError(f"{out} holds another training ({'; '.join(changed)}): give a new --out, or the same run")
    if saved.data != faces.digest:
        raise UserError(f"{out} holds a training on other data than {faces.path}: give a new --out, or the same data")
    checkpoint.load_weights(learner.net, saved, path=out / LAST)
    of_backbone, of_objective = learner.optimizers
    of_backbone.load_state_dict(saved.optimizer)
    learner.objective.load_whole_state(saved.objective, of_objective)
    learner.scaler.load_state_dict(saved.scaler)
    return Progress(updates=saved.seen // run.batch, best=saved.best)


def save(training: Training, progress: Progress) -> Progress:
    """Write the checkpoint, and once more as the best one when it is; returns the progress with the best figure.

    The figure is the first one of the first test set.
    """
    run, faces, out, learner = training
    of_backbone, of_objective = learner.optimizers
    objective = learner.objective.whole_state(of_objective)  # which all ranks take part in
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
        optimizer=of_backbone.state_dict(),
        objective=objective,
        scaler=learner.scaler.state_dict(),
    )
    if figure > progress.best:
        checkpoint.save(out / BEST, saved)
    checkpoint.save(out / LAST, saved)
    return progress._replace(best=saved.best)
