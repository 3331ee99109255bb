"""Training: one loop for a CPU, a GPU, and many ranks under torchrun; stopped anywhere, it goes on from its checkpoint.

The backbone is copied to every rank (DistributedDataParallel), the classifier is cut up between them (Partial FC). A
batch is the same photos in the same order whatever the number of ranks, and everything random is drawn from the seed
and the step's number.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.checkpoint import Checkpoint
from trainer.data.batches import Stream
from trainer.data.shards import Faces, open_faces
from trainer.distributed.ranks import max_over_ranks, rank, world_size
from trainer.embedder import to_input
from trainer.export import to_onnx
from trainer.learner import Parts, device_of, join_ranks, make
from trainer.run import Run, differing
from trainer.schedule import learning_rate
from trainer.stop_signal import leave, told_to_stop
from trainer.training_log import Journal, log
from trainer.validation import examine

KINDS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LAST, BEST, MODEL, RESULT = "last.pt", "best.pt", "model.onnx", "result.json"


@dataclass(frozen=True)
class TrainingResult:
    """A finished training: its model as checkpoint and ONNX, its last loss, and the figures of its test sets."""

    checkpoint: Path
    onnx: Path
    steps: int
    classes: int
    photos: int
    loss: float
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
) -> TrainingResult:
    """Train a run on a refined data set and return where its model lies; what was trained before is not trained again.

    out: a new folder, or that of the same run, which goes on. test_sets: pair sets by name, measured at each
    checkpoint. log_every, checkpoint_every: updates between lines and between checkpoints. Raises UserError for data
    nothing can be learnt from, another run's folder, a disk without room, or a loss that is no longer finite. SIGINT
    and SIGTERM take effect after the update that they meet (on several ranks: after that of the next line), when a
    checkpoint is written.
    """
    join_ranks()
    faces = open_faces(data)
    _warn_of_singles(faces)
    parts = make(run, int(faces.labels.max()) + 1, device_of(device))
    seen, best = _resume(run, faces, out, parts)
    if seen >= run.steps * run.batch and (out / RESULT).exists():
        return _found(out)
    stream = iter(Stream(faces, run, rank(), world_size(), seen, threads))
    out.mkdir(parents=True, exist_ok=True)
    journal = Journal(out if rank() == 0 else None, steps=run.steps, batch=run.batch, step=seen // run.batch)
    loss, figures, stop, done = float("nan"), {}, 0, seen // run.batch
    with told_to_stop() as told, closing(journal):
        for step in range(seen // run.batch, run.steps):
            found, norm = update(run, parts, stream, step)
            done = step + 1
            keeps, says = done % checkpoint_every == 0 or done == run.steps, done % log_every == 0
            stop = _agreed(told, parts.device) if says or world_size() == 1 else 0
            if says or keeps or stop or done == 1:
                loss = _finite(found, run, done)
                journal.write(done, loss=loss, lr=learning_rate(run, step), gradient=float(norm))
            if keeps or stop:
                figures = examine(parts.net, run, test_sets) if rank() == 0 and keeps else {}
                best = _keep(run, faces, out, parts, (done * run.batch, best, figures))
                for name, numbers in figures.items():
                    journal.tested(done, name, numbers)
            if stop:
                break
    made = TrainingResult(
        out / LAST, out / MODEL, run.steps, int(faces.labels.max()) + 1, len(faces.labels), loss, figures
    )
    if rank() == 0 and done == run.steps:
        to_onnx(parts.net.cpu().eval(), made.onnx, channels=run.channels, size=run.size)
        _write(made, out, Path(data))
    if stop:
        log.info("stopped at step %d of %d: the same command goes on from there", done, run.steps)
        leave(stop)
    return made


def _agreed(told: list[int], device: torch.device) -> int:
    """The signal to stop at which any rank has got, or 0: all ranks write a checkpoint together, or none does."""
    number = told[0] if told else 0
    return int(max_over_ranks(torch.tensor(number, device=device))) if world_size() > 1 else number


def _write(made: TrainingResult, out: Path, data: Path) -> None:
    """The outcome beside its model, last of all: where it lies, the training is finished.

    Where the data is a root's table, it is named, so that it stays as long as the training does.
    """
    table = {"tables": [f"{data.parent.name}/{data.stem}"]} if data.suffix == ".json" else {}
    temporary = out / f".{RESULT}.tmp"
    temporary.write_text(json.dumps(asdict(made) | table | {"checkpoint": LAST, "onnx": MODEL}, indent=1) + "\n")
    temporary.replace(out / RESULT)


def _found(out: Path) -> TrainingResult:
    value = json.loads((out / RESULT).read_text())
    value.pop("tables", None)
    return TrainingResult(**value | {"checkpoint": out / LAST, "onnx": out / MODEL})


def update(run: Run, parts: Parts, stream: Iterator[Any], step: int) -> tuple[Tensor, Tensor]:
    """One update on one batch: its mean loss over all ranks, and the gradient's norm before clipping."""
    torch.manual_seed((run.seed * 1_000_003 + step) * world_size() + rank())  # dropout: by step, not by history
    batch = next(stream)
    faces, label = (torch.from_numpy(a).to(parts.device, non_blocking=True) for a in batch)
    _, head = parts.optimizers
    for optimizer in parts.optimizers:
        optimizer.zero_grad(set_to_none=True)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(run, step)
    parts.objective.begin_update(label, step, head)
    total = torch.zeros((), device=parts.device)
    pieces = list(zip(faces.chunk(run.accumulate), label.chunk(run.accumulate), strict=True))
    for i, (x, y) in enumerate(pieces):
        more = i + 1 < len(pieces)
        with parts.whole.no_sync() if more and isinstance(parts.whole, DistributedDataParallel) else nullcontext():
            with torch.autocast(parts.device.type, KINDS[run.precision], enabled=run.precision != "fp32"):
                embedding = parts.whole(to_input(x))
            loss = parts.objective(embedding.to(torch.get_default_dtype()), y) / len(pieces)
            parts.scaler.scale(loss).backward()
        total += loss.detach()
    norm = move(run, parts)
    parts.objective.end_update(head)
    return total, norm


def move(run: Run, parts: Parts) -> Tensor:
    """The optimizers' step with the gradients there are; returns their norm in the backbone, before clipping.

    With loss scaling (fp16) backbone and classifier move together or, where any rank's gradients are not finite, stay.
    """
    # a triplet loss has no weights, and a scaler wants to see gradients
    moved = [o for o in parts.optimizers if any(True for _ in _gradients(o))]
    if parts.scaler.is_enabled():
        wrong = torch.stack([~g.isfinite().all() for o in moved for g in _gradients(o)]).any()
        wrong = max_over_ranks(wrong.float()) > 0
        for optimizer in moved:  # the scaler asks each optimizer's gradients alone: what one has, all shall have
            max(_gradients(optimizer), key=torch.Tensor.numel).masked_fill_(wrong, float("inf"))
    for optimizer in moved:
        parts.scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(parts.net.parameters(), run.clip or float("inf"))
    for optimizer in moved:
        parts.scaler.step(optimizer)
    parts.scaler.update()
    return norm


def _gradients(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    return (p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None)


def _resume(run: Run, faces: Faces, out: Path, parts: Parts) -> tuple[int, float]:
    """Photos seen and the best figure so far: of the checkpoint in the folder, or of nothing."""
    if not (out / LAST).exists():
        return 0, -1.0
    found = checkpoint.load(out / LAST)
    if changed := differing(found.run, run):
        raise UserError(f"{out} holds another training ({'; '.join(changed)}): give a new --out, or the same run")
    if found.data != faces.digest:
        raise UserError(f"{out} holds a training on other data than {faces.path}: give a new --out, or the same data")
    checkpoint.fill(parts.net, found, where=out / LAST)
    backbone, head = parts.optimizers
    backbone.load_state_dict(found.optimizer)
    parts.objective.load_whole_state(found.objective, head)
    parts.scaler.load_state_dict(found.scaler)
    return found.seen, found.best


def _keep(run: Run, faces: Faces, out: Path, parts: Parts, progress: tuple[int, float, Any]) -> float:
    """Write the checkpoint, and once more as the best one when it is; returns the best figure so far."""
    seen, best, figures = progress
    backbone, head = parts.optimizers
    whole = parts.objective.whole_state(head)  # all ranks take part
    if rank() > 0:
        return best
    first: dict[str, float] = next(iter(figures.values()), {})
    now = next(iter(first.values()), -1.0)
    state = {k: v.cpu() for k, v in parts.net.state_dict().items()}
    kept = Checkpoint(
        run,
        faces.digest,
        int(faces.labels.max()) + 1,
        seen,
        max(best, now),
        state,
        backbone.state_dict(),
        whole,
        parts.scaler.state_dict(),
    )
    if now > best:
        checkpoint.save(out / BEST, kept)
    checkpoint.save(out / LAST, kept)
    return max(best, now)


def _finite(loss: Tensor, run: Run, step: int) -> float:
    """The loss as a number; a CPU-GPU sync point."""
    value = float(loss)
    if value == value and abs(value) != float("inf"):
        return value
    advice = [f"a lower --lr than {run.lr}", "a longer --warmup", "a smaller scale or margin in --loss"]
    advice += ["--precision bf16"] if run.precision == "fp16" else []
    tried = ", ".join(advice)
    raise UserError(f"the loss is no longer finite at step {step}: try {tried}; the last checkpoint is good")


def _warn_of_singles(faces: Faces) -> None:
    single = int((np.bincount(faces.labels) == 1).sum())
    if single and rank() == 0:
        log.warning(
            "%s: %d classes have a single photo: nothing says what they have in common "
            "(refine with --min-faces 2 leaves them out)",
            faces.path,
            single,
        )
