"""Measures photos per second of the training loop and of the bare network, in alternation in one process.

The bare network computes forward pass, loss and backward pass of random faces that are already in memory. The training
loop also reads and decodes faces, copies them to the device, clips the gradient and steps the optimizers. The two
alternate, so a machine that slows down during the measurement slows down both.
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
from trainer.data.data_set import count_classes, open_faces
from trainer.loop.learner import Learner, choose_device, make_learner
from trainer.loop.update import forward, update
from trainer.run import Run

ROWS_AT_ONCE = 65536  # of the second matrix of a product


class Throughput(NamedTuple):
    """Images/s of the training loop and of the bare network, and their memory in bytes."""

    backbone: str
    device: str
    loop_images_per_s: float
    bare_images_per_s: float
    peak_bytes: int  # on a CPU of the whole process, on a GPU of torch's tensors
    model_bytes: int  # weights, gradients and optimizer state


def throughput(run: Run, data: str | Path, *, turns: int = 3, device: str = "", threads: int = 2) -> Throughput:
    """The throughput of a run on a data set (see open_faces).

    turns: how many updates of the loop and how many passes of the bare network are timed, after one of each to warm up.
    device: as in choose_device. threads: of decoding.
    """
    faces = open_faces(data)
    learner = make_learner(run, count_classes(faces), choose_device(device))
    random = torch.randint(0, 256, (run.batch, run.channels, run.size, run.size), dtype=torch.uint8)
    label = torch.randint(0, count_classes(faces), (run.batch,))
    loop = _update_function(run, learner, iter(BatchStream(faces, run, threads=threads)))
    return _measure(run, learner, loop, _bare_pass_function(run, learner, random, label), turns=turns)


def throughput_with_classes(run: Run, classes: int, *, turns: int = 3, device: str = "") -> Throughput:
    """The throughput of updates with this number of classes, and of the bare network with 2, the smallest classifier.

    Both use random faces that are already in memory. turns, device: as in throughput().
    """
    learner, bare_learner = (make_learner(run, n, choose_device(device)) for n in (classes, 2))
    random = np.random.default_rng(run.seed)
    faces = random.integers(0, 256, (run.batch, run.channels, run.size, run.size), np.uint8)
    drawn = (random.integers(0, classes, run.batch) for _ in itertools.count())
    batches = (Batch(faces, label, label) for label in drawn)
    bare = _bare_pass_function(run, bare_learner, torch.from_numpy(faces), torch.arange(run.batch) % 2)
    return _measure(run, learner, _update_function(run, learner, batches), bare, turns=turns)


def matrix_product(a: NDArray[np.float32], b: NDArray[np.float32]) -> Callable[[], None]:
    """A function that multiplies rows a [n, d] with rows b [m, d], one block of b at a time.

    It computes on the GPU where there is one. Both matrices are copied to the device here, before it is called.
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


def _update_function(run: Run, learner: Learner, batches: Iterator[Batch]) -> Callable[[], None]:
    """A function that makes the next update of a training."""
    steps = itertools.count()

    def make_update() -> None:
        update(run, learner, batches, next(steps))

    return make_update


def _bare_pass_function(run: Run, learner: Learner, faces: torch.Tensor, label: torch.Tensor) -> Callable[[], None]:
    """A function that computes the forward and backward pass of one batch, always the same, without an update."""
    faces, labels, label = faces.to(learner.device), label, label.to(learner.device)
    objective_optimizer = learner.optimizers[1]

    def make_pass() -> None:
        learner.objective.begin_update(labels, 0, objective_optimizer)
        forward(run, learner, faces, label).backward()  # type: ignore[no-untyped-call]
        learner.objective.end_update(objective_optimizer)
        for optimizer in learner.optimizers:
            optimizer.zero_grad(set_to_none=True)

    return make_pass


def _measure(
    run: Run, learner: Learner, loop: Callable[[], None], bare: Callable[[], None], *, turns: int
) -> Throughput:
    seconds = {loop: 0.0, bare: 0.0}
    for turn in range(turns + 1):
        for function in (loop, bare) if turn % 2 else (bare, loop):
            seconds[function] += _seconds_of_call(function, learner.device) * (turn > 0)  # the first turn warms up
    images = turns * run.batch
    return Throughput(
        backbone=run.backbone,
        device=str(learner.device),
        loop_images_per_s=images / seconds[loop],
        bare_images_per_s=images / seconds[bare],
        peak_bytes=_peak_bytes(learner),
        model_bytes=sum(t.numel() * t.element_size() for o in learner.optimizers for t in _tensors_in_memory(o)),
    )


def _seconds_of_call(function: Callable[[], None], device: torch.device) -> float:
    """The seconds that a call takes, until a GPU has finished the work of the call."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _tensors_in_memory(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The optimizer's weights, twice because their gradients are as large, and the tensors of its state."""
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    state = [t for s in optimizer.state.values() for t in s.values() if isinstance(t, torch.Tensor)]
    return [*weights, *weights, *state]


def _peak_bytes(learner: Learner) -> int:
    if learner.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(learner.device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
