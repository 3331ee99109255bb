"""The training loop, for a CPU, a GPU, or several ranks under torchrun. A stopped training continues where it stopped.

Every rank has a copy of the backbone (DistributedDataParallel) and a part of the classifier (Partial FC). A batch holds
the same photos in the same order for any number of ranks, and all random numbers follow from the seed and the update's
number.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from pipeline.errors import UserError
from pipeline.json_values import finite_or_null
from pipeline.tables.digests import digest_of_file, is_as_sealed, sealed
from pipeline.whole_files import write_whole
from trainer.data.batches import BatchStream
from trainer.data.data_set import Faces, count_classes, open_faces
from trainer.distributed.ranks import join_ranks, leave_ranks_at_exit, rank, world_size
from trainer.export import to_onnx
from trainer.loop.background_task import BackgroundTask
from trainer.loop.finite_state import check_finite_state, finite_number
from trainer.loop.learner import DEFAULT_START, NO_TEACHING, choose_device, make_learner
from trainer.loop.progress import Progress, Training, save
from trainer.loop.resume import resume, with_recorded_norm
from trainer.loop.schedule import learning_rate
from trainer.loop.stop_signal import catch_stop_signals, exit_by_signal, signal_of_any_rank
from trainer.loop.training_log import LOG, TrainingLog, log, logged_loss
from trainer.loop.update import update
from trainer.loop.validation import validate
from trainer.pretrained.start import Start
from trainer.pretrained.teacher import Teaching
from trainer.run import Run
from trainer.trackers.tracker import open_trackers
from trainer.whole_file import LAST

MODEL, RESULT = "model.onnx", "result.json"
MODEL_DIGEST = "onnx_digest"  # in result.json


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training: its model as a checkpoint and as an ONNX file, and its numbers at the last update.

    steps: updates made in the whole training. photos, classes: of the data set. loss: None where the log that had it is
    lost. tests: the figures of each test set.
    """

    checkpoint: Path
    onnx: Path
    steps: int
    classes: int
    photos: int
    loss: float | None
    tests: dict[str, dict[str, float]]


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
    start: Start = DEFAULT_START,
    teaching: Teaching = NO_TEACHING,
    track: Sequence[str] = (),
) -> TrainingResult:
    """Train a run on a refined data set (see open_faces) and return the result.

    out: a new folder, or the folder of an earlier call with the same run, data, start and teaching: a finished training
    there is not repeated, its result is read (what of it is gone or damaged is written again from last.pt), or it goes
    on when the run has more updates; a stopped one continues. start: the first weights. teaching: the network from
    which it learns, if any.
    test_sets: folders of pairs (see evaluation.pair_set) by name, measured at each checkpoint. device: as in
    choose_device. track: trackers besides TensorBoard, as trackers.tracker.check_trackers() accepts them. threads: of
    decoding. log_every, checkpoint_every: in updates. After SIGINT and SIGTERM the current update is finished (on
    several ranks: the updates up to the next line of the log) and a checkpoint is written.

    Raises UserError for options out of range, for data that cannot be trained on, for the folder of another run, when
    the disk is full, and when loss or weights are no longer finite.
    """
    _check_at_least_1(threads=threads, log_every=log_every, checkpoint_every=checkpoint_every)
    join_ranks(choose_device(device))
    faces = open_faces(data)
    _warn_about_single_photos(faces)
    run = with_recorded_norm(run, out)
    learner = make_learner(run, count_classes(faces), choose_device(device), start, teaching)
    training = Training(run, faces, out, learner)
    progress = resume(training)
    if progress.updates >= run.steps:
        leave_ranks_at_exit()
        return _finished(training, Path(data), test_sets)
    _make_folder(out)
    if rank() == 0 and (out / RESULT).exists():
        log.info("%s goes on from %d updates to %d, at the learning rates of these", out, progress.updates, run.steps)
        (out / RESULT).unlink()
    trained_photos = progress.updates * run.batch
    stream = BatchStream(faces, run, rank=rank(), ranks=world_size(), skip=trained_photos, threads=threads)
    intervals = {"log_every": log_every, "checkpoint_every": checkpoint_every}
    progress = _loop(training, stream, progress, test_sets=test_sets, track=track, **intervals)
    leave_ranks_at_exit()
    result = _result(training, progress.loss, progress.figures)
    if rank() == 0 and progress.updates == run.steps:
        _write_result(training, result, Path(data))
    if progress.signal:
        log.info("stopped at step %d of %d: the same command continues from there", progress.updates, run.steps)
        exit_by_signal(progress.signal)
    return result


def _check_at_least_1(**options: int) -> None:
    """Raise UserError for an option below 1."""
    for name, value in options.items():
        if value < 1:
            raise UserError(f"{name} {value}: expected 1 or more")


def _make_folder(out: Path) -> None:
    """The folder of a training. Raises UserError where it cannot be made."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {out} ({error.strerror}): give --out a folder to write to") from None


def _loop(
    training: Training,
    stream: BatchStream,
    progress: Progress,
    *,
    test_sets: Mapping[str, Path],
    log_every: int,
    checkpoint_every: int,
    track: Sequence[str],
) -> Progress:
    """Train until the run's last update or a stop signal; returns the progress after it."""
    run, learner = training.run, training.learner
    out = training.out if rank() == 0 else None
    trackers = open_trackers(track, out, run, updates=progress.updates) if out else []
    training_log = TrainingLog(out, steps=run.steps, batch=run.batch, updates=progress.updates, trackers=trackers)
    batches = iter(stream)
    with catch_stop_signals() as signals, closing(training_log), BackgroundTask() as writer:
        for step in range(progress.updates, run.steps):
            writer.check()
            loss, norm = update(run, learner, batches, step)
            updates = step + 1
            is_checkpoint = updates % checkpoint_every == 0 or updates == run.steps
            is_logged = updates % log_every == 0
            signal = signal_of_any_rank(signals, learner.device) if is_logged or world_size() == 1 else 0
            progress = progress._replace(updates=updates, signal=signal)
            if is_logged or is_checkpoint or signal or updates == 1:
                progress = progress._replace(loss=finite_number(loss, run, updates, subject="loss is"))
                rate = learning_rate(run, step)
                training_log.log_update(updates, loss=progress.loss, lr=rate, gradient=float(norm))
            if is_checkpoint or signal:
                check_finite_state(run, learner, updates)
                figures = validate(learner.net, run, test_sets) if rank() == 0 and is_checkpoint else {}
                progress = save(training, progress._replace(figures=figures), writer)
                for name, values in figures.items():
                    training_log.log_test_set(updates, name, values)
            if signal:
                break
    return progress


def _result(training: Training, loss: float | None, figures: Mapping[str, dict[str, float]]) -> TrainingResult:
    run, faces, out, _ = training
    return TrainingResult(
        out / LAST, out / MODEL, run.steps, count_classes(faces), len(faces.labels), loss, dict(figures)
    )


def _finished(training: Training, data: Path, test_sets: Mapping[str, Path]) -> TrainingResult:
    """The result of a finished training, whose last weights the learner has.

    The process may have been killed before it wrote the result, or the disk may have damaged it: then the weights are
    measured again, and the result and the ONNX file are written again.
    """
    run, _, out, learner = training
    result, model_digest = _read_result(out)
    if rank() > 0:
        return result or _result(training, logged_loss(out / LOG, run.steps), {})
    stored = digest_of_file(str(out), MODEL)
    is_whole = result is not None and stored is not None and model_digest in ("", stored)
    if result is None:
        result = _result(training, logged_loss(out / LOG, run.steps), validate(learner.net, run, test_sets))
    if not is_whole:
        log.warning("%s: the result or the model of a finished training is not whole: written again from %s", out, LAST)
        _write_result(training, result, data)
    return result


def _write_result(training: Training, result: TrainingResult, data: Path) -> None:
    """Write the ONNX file and then result.json, the last file of a training: with it the training is finished.

    When the data set is a table of a root, result.json names the table, and `refinery clean` does not delete it.
    """
    run, _, out, learner = training
    to_onnx(learner.net.cpu().eval(), out / MODEL, channels=run.channels, size=run.size)
    table = {"tables": [f"{data.parent.name}/{data.stem}"]} if data.suffix == ".json" else {}
    files = {"checkpoint": LAST, "onnx": MODEL, MODEL_DIGEST: digest_of_file(str(out), MODEL)}
    value = sealed(finite_or_null(asdict(result) | table | files))
    write_whole(out / RESULT, json.dumps(value, indent=1, allow_nan=False) + "\n")


def _read_result(out: Path) -> tuple[TrainingResult | None, str]:
    """The result in a folder, None where there is none or it is damaged; and the digest of its ONNX file.

    The digest is "" where it is not known: in results of earlier versions.
    """
    try:
        value = json.loads((out / RESULT).read_bytes())
        if not is_as_sealed(value):
            return None, ""
        model_digest = str(value.get(MODEL_DIGEST, ""))
        fields = {name: value[name] for name in TrainingResult.__dataclass_fields__}
        return TrainingResult(**fields | {"checkpoint": out / LAST, "onnx": out / MODEL}), model_digest
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None, ""


def _warn_about_single_photos(faces: Faces) -> None:
    single = int((np.bincount(faces.labels) == 1).sum())
    if single and rank() == 0:
        log.warning(
            "%s: %d classes have a single photo, from which a training cannot learn how a person's photos vary "
            "(refine with --min-faces 2 leaves them out)",
            faces.path,
            single,
        )
