"""The training loop's throughput beside the bare network's, measured in turns in one process.

The bare network is forward, loss and backward on random faces that are in memory already; the loop also reads, decodes,
moves to the device, clips and steps the optimizer. Turns alternate, so that a machine that slows down slows both.
"""

import itertools
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.data.batches import Batch, BatchStream
from trainer.data.shards import count_classes, open_faces
from trainer.loop.learner import Learner, choose_device, make_learner
from trainer.loop.update import forward, update
from trainer.run import Run

ROWS_AT_ONCE = 65536  # of a matrix product


class Throughput(NamedTuple):
    """Images/s of the whole loop and of the bare network, and memory in bytes."""

    backbone: str
    device: str
    loop_images_per_s: float
    bare_images_per_s: float
    peak_bytes: int  # of the process on a CPU, of torch on a GPU
    model_bytes: int  # weights, gradients and the optimizer's state


def throughput(run: Run, data: str | Path, *, turns: int = 3, device: str = "", threads: int = 2) -> Throughput:
    """The throughput of a run on a data set; turns: updates of each kind that are measured, after one of each."""
    faces = open_faces(data)
    learner = make_learner(run, count_classes(faces), choose_device(device))
    random = torch.randint(0, 256, (run.batch, run.channels, run.size, run.size), dtype=torch.uint8)
    label = torch.randint(0, count_classes(faces), (run.batch,))
    loop = _updates(run, learner, iter(BatchStream(faces, run, threads=threads)))
    return _measure(run, learner, loop, _bare(run, learner, random, label), turns=turns)


def throughput_with_classes(run: Run, classes: int, *, turns: int = 3, device: str = "") -> Throughput:
    """The throughput of updates with so many classes, beside the bare network with 2, the fewest of a classifier.

    Both on random faces that are in memory already. turns: as in throughput().
    """
    learner, bare_learner = (make_learner(run, n, choose_device(device)) for n in (classes, 2))
    random = np.random.default_rng(run.seed)
    faces = random.integers(0, 256, (run.batch, run.channels, run.size, run.size), np.uint8)
    batches = (Batch(faces, random.integers(0, classes, run.batch)) for _ in itertools.count())
    bare = _bare(run, bare_learner, torch.from_numpy(faces), torch.arange(run.batch) % 2)
    return _measure(run, learner, _updates(run, learner, batches), bare, turns=turns)


def matrix_product(a: NDArray[np.float32], b: NDArray[np.float32]) -> Callable[[], None]:
    """A function that multiplies rows a [n, d] with rows b [m, d], a block of b at a time.

    On the GPU where there is one; both matrices are there before the function is called.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    left, right = torch.from_numpy(a).to(device), torch.from_numpy(b).to(device)
    blocks = [right[i : i + ROWS_AT_ONCE] for i in range(0, len(right), ROWS_AT_ONCE)]

    def multiply() -> None:
        for block in blocks:
            left @ block.T
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return multiply


def _updates(run: Run, learner: Learner, batches: Iterator[Batch]) -> Callable[[], None]:
    """A function that makes the next update."""
    steps = itertools.count()

    def work() -> None:
        update(run, learner, batches, next(steps))

    return work


def _bare(run: Run, learner: Learner, faces: torch.Tensor, label: torch.Tensor) -> Callable[[], None]:
    """A function that goes forward and backward with the same batch, and updates nothing."""
    faces, label = faces.to(learner.device), label.to(learner.device)
    of_objective = learner.optimizers[1]

    def work() -> None:
        learner.objective.begin_update(label, 0, of_objective)
        forward(run, learner, faces, label).backward()  # type: ignore[no-untyped-call]
        learner.objective.end_update(of_objective)
        for optimizer in learner.optimizers:
            optimizer.zero_grad(set_to_none=True)

    return work


def _measure(
    run: Run, learner: Learner, loop: Callable[[], None], bare: Callable[[], None], *, turns: int
) -> Throughput:
    seconds = {loop: 0.0, bare: 0.0}
    for turn in range(turns + 1):
        for work in (loop, bare) if turn % 2 else (bare, loop):
            seconds[work] += _timed(work, learner.device) * (turn > 0)  # the first turn warms up
    images = turns * run.batch
    return Throughput(
        backbone=run.backbone,
        device=str(learner.device),
        loop_images_per_s=images / seconds[loop],
        bare_images_per_s=images / seconds[bare],
        peak_bytes=_peak_bytes(learner),
        model_bytes=sum(p.numel() * p.element_size() for o in learner.optimizers for p in _tensors(o)),
    )


def _timed(work: Callable[[], None], device: torch.device) -> float:
    """Seconds that a call takes; a GPU has finished before and after."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _tensors(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The weights, twice to count their gradients, and the state that the optimizer keeps."""
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    state = [t for s in optimizer.state.values() for t in s.values() if isinstance(t, torch.Tensor)]
    return [*weights, *weights, *state]


def _peak_bytes(learner: Learner) -> int:
    if learner.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(learner.device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
