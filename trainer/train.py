"""The training loop, for a CPU, a GPU, or several ranks under torchrun; stopped anywhere, it continues.

Every rank has a copy of the backbone (DistributedDataParallel) and a part of the classifier (Partial FC). A batch holds
the same photos in the same order whatever the number of ranks, and all random numbers follow from the seed and the
update's number.
"""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.checkpoint import Checkpoint
from trainer.data.batches import BatchStream
from trainer.data.shards import Faces, count_classes, open_faces
from trainer.distributed.ranks import join_ranks, max_over_ranks, rank, world_size
from trainer.export import to_onnx
from trainer.learner import Learner, choose_device, make_learner
from trainer.run import Run, differing
from trainer.schedule import learning_rate
from trainer.stop_signal import catch_stop_signals, exit_by_signal
from trainer.training_log import TrainingLog, log
from trainer.update import update
from trainer.validation import validate

LAST, BEST, MODEL, RESULT = "last.pt", "best.pt", "model.onnx", "result.json"


@dataclass(frozen=True)
class TrainingResult:
    """A finished training: its model as a checkpoint and in ONNX, its last loss, and the figures of its test sets."""

    checkpoint: Path
    onnx: Path
    steps: int
    classes: int
    photos: int
    loss: float
    tests: dict[str, dict[str, float]]


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


def train(
    run: Run,
    data: str | Path,
    out: Path,
    *,
    test_sets: Mapping[str, Path] = MappingProxyType({}),
    device: str = "",
    threads: int = 2,
    log_every: int = 50,
    checkpoint_every: int = 1000,
) -> TrainingResult:
    """The result of training a run on a refined data set; a finished training is read, a stopped one continues.

    out: a new folder, or that of the same run. test_sets: folders of pairs (see evaluation.pair_set) by name, measured
    at each checkpoint. log_every, checkpoint_every: in updates. Raises UserError for data that cannot be trained on,
    another run's folder, a disk without room, or a loss that is no longer finite. After SIGINT and SIGTERM the current
    update (on several ranks: up to the next line of the log) is finished and a checkpoint written.
    """
    join_ranks()
    faces = open_faces(data)
    _warn_of_single_photos(faces)
    training = Training(run, faces, out, make_learner(run, count_classes(faces), choose_device(device)))
    progress = _resume(training)
    if progress.updates >= run.steps and (out / RESULT).exists():
        return _read_result(out)
    out.mkdir(parents=True, exist_ok=True)
    stream = BatchStream(faces, run, rank(), world_size(), progress.updates * run.batch, threads)
    progress = _loop(
        training, stream, progress, test_sets=test_sets, log_every=log_every, checkpoint_every=checkpoint_every
    )
    result = TrainingResult(
        checkpoint=out / LAST,
        onnx=out / MODEL,
        steps=run.steps,
        classes=count_classes(faces),
        photos=len(faces.labels),
        loss=progress.loss,
        tests=dict(progress.figures),
    )
    if rank() == 0 and progress.updates == run.steps:
        to_onnx(training.learner.net.cpu().eval(), result.onnx, channels=run.channels, size=run.size)
        _write_result(result, out, Path(data))
    if progress.signal:
        log.info("stopped at step %d of %d: the same command goes on from there", progress.updates, run.steps)
        exit_by_signal(progress.signal)
    return result


def _loop(
    training: Training,
    stream: BatchStream,
    progress: Progress,
    *,
    test_sets: Mapping[str, Path],
    log_every: int,
    checkpoint_every: int,
) -> Progress:
    """Train up to the run's last update, or to a signal."""
    run, learner = training.run, training.learner
    out = training.out if rank() == 0 else None
    training_log = TrainingLog(out, steps=run.steps, batch=run.batch, updates=progress.updates)
    batches = iter(stream)
    with catch_stop_signals() as signals, closing(training_log):
        for step in range(progress.updates, run.steps):
            loss, norm = update(run, learner, batches, step)
            updates = step + 1
            at_checkpoint, at_line = updates % checkpoint_every == 0 or updates == run.steps, updates % log_every == 0
            signal = _agreed_signal(signals, learner.device) if at_line or world_size() == 1 else 0
            progress = progress._replace(updates=updates, signal=signal)
            if at_line or at_checkpoint or signal or updates == 1:
                progress = progress._replace(loss=_finite(loss, run, updates))
                rate = learning_rate(run, step)
                training_log.log_update(updates, loss=progress.loss, lr=rate, gradient=float(norm))
            if at_checkpoint or signal:
                figures = validate(learner.net, run, test_sets) if rank() == 0 and at_checkpoint else {}
                progress = _save(training, progress._replace(figures=figures))
                for name, values in figures.items():
                    training_log.log_test_set(updates, name, values)
            if signal:
                break
    return progress


def _agreed_signal(signals: list[int], device: torch.device) -> int:
    """A signal that any rank has received, or 0: all ranks write a checkpoint together, or none does."""
    number = signals[0] if signals else 0
    return int(max_over_ranks(torch.tensor(number, device=device))) if world_size() > 1 else number


def _resume(training: Training) -> Progress:
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


def _save(training: Training, progress: Progress) -> Progress:
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


def _write_result(result: TrainingResult, out: Path, data: Path) -> None:
    """Write the result beside its model, last of all: a folder that holds it holds a finished training.

    Where the data is a root's table, the result names it, so that cleaning the root keeps the table.
    """
    table = {"tables": [f"{data.parent.name}/{data.stem}"]} if data.suffix == ".json" else {}
    temporary = out / f".{RESULT}.tmp"
    temporary.write_text(json.dumps(asdict(result) | table | {"checkpoint": LAST, "onnx": MODEL}, indent=1) + "\n")
    temporary.replace(out / RESULT)


def _read_result(out: Path) -> TrainingResult:
    value = json.loads((out / RESULT).read_text())
    value.pop("tables", None)
    return TrainingResult(**value | {"checkpoint": out / LAST, "onnx": out / MODEL})


def _finite(loss: Tensor, run: Run, updates: int) -> float:
    """The loss as a number, which waits for the GPU; UserError, with what to try, where it is not finite."""
    value = float(loss)
    if np.isfinite(value):
        return value
    advice = [f"a lower --lr than {run.lr}", "a longer --warmup", "a smaller scale or margin in --loss"]
    advice += ["--precision bf16"] if run.precision == "fp16" else []
    tried = ", ".join(advice)
    raise UserError(f"the loss is no longer finite at step {updates}: try {tried}; the last checkpoint is good")


def _warn_of_single_photos(faces: Faces) -> None:
    single = int((np.bincount(faces.labels) == 1).sum())
    if single and rank() == 0:
        log.warning(
            "%s: %d classes have a single photo, from which nothing about the person is learnt "
            "(refine with --min-faces 2 leaves them out)",
            faces.path,
            single,
        )
