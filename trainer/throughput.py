"""How much of a network's bare speed the training loop keeps: both measured in one run, turn by turn.

The limit is forward, loss and backward on random faces that lie in memory already; the loop adds reading, decoding,
moving, clipping and the optimizer's step. Turns alternate, so that a machine that slows down slows both.
"""

import itertools
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.data.batches import Stream
from trainer.data.shards import open_faces
from trainer.embedder import to_input
from trainer.learner import Parts, device_of, make
from trainer.run import Run
from trainer.train import KINDS, update

BLOCK = 65536  # rows of a product at a time


class Throughput(NamedTuple):
    """Images/s of the whole loop and of the bare network, and memory in bytes."""

    backbone: str
    device: str
    loop_images_per_s: float
    bare_images_per_s: float
    peak_bytes: int  # of the process on a CPU, of torch on a GPU
    model_bytes: int  # weights, gradients and the optimizer's state


def throughput(run: Run, data: str | Path, *, turns: int = 3, device: str = "", threads: int = 2) -> Throughput:
    """The throughput of one run on a data set; turns: of a few updates each, after one that warms up."""
    faces = open_faces(data)
    parts = make(run, int(faces.labels.max()) + 1, device_of(device))
    stream = iter(Stream(faces, run, threads=threads))
    steps = itertools.count()
    drawn = torch.randint(0, 256, (run.batch, run.channels, run.size, run.size), dtype=torch.uint8).to(parts.device)
    label = torch.randint(0, int(faces.labels.max()) + 1, (run.batch,)).to(parts.device)

    def loop() -> None:
        update(run, parts, stream, next(steps))

    def bare() -> None:
        _forward_backward(run, parts, drawn, label)

    return _in_turns(run, parts, loop, bare, turns)


def throughput_with_classes(run: Run, classes: int, *, turns: int = 3, device: str = "") -> Throughput:
    """Whole updates with so many classes (loop) beside the bare network with the fewest that a classifier can have.

    On drawn faces that lie in memory already: what reading costs is throughput()'s question. turns as there.
    """
    parts, few = make(run, classes, device_of(device)), make(run, 2, device_of(device))
    random = np.random.default_rng(run.seed)
    faces = random.integers(0, 256, (run.batch, run.channels, run.size, run.size), np.uint8)
    batches = ((faces, random.integers(0, classes, run.batch)) for _ in itertools.count())
    steps = itertools.count()
    drawn = torch.from_numpy(faces).to(parts.device)
    label = torch.arange(run.batch, device=parts.device) % 2

    def loop() -> None:
        update(run, parts, batches, next(steps))

    def bare() -> None:
        _forward_backward(run, few, drawn, label)

    return _in_turns(run, parts, loop, bare, turns)


def matrix_product(a: NDArray[np.float32], b: NDArray[np.float32]) -> Callable[[], None]:
    """What multiplies rows a [n, d] with all rows b [m, d], a block of b at a time, on the GPU where there is one; both
    lie there already."""
    at = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    one, other = torch.from_numpy(a).to(at), torch.from_numpy(b).to(at)
    blocks = [other[i : i + BLOCK] for i in range(0, len(other), BLOCK)]

    def multiply() -> None:
        for block in blocks:
            one @ block.T
        if at.type == "cuda":
            torch.cuda.synchronize(at)

    return multiply


def _in_turns(run: Run, parts: Parts, loop: Callable[[], None], bare: Callable[[], None], turns: int) -> Throughput:
    took = {loop: 0.0, bare: 0.0}
    for turn in range(turns + 1):
        for work in (loop, bare) if turn % 2 else (bare, loop):
            took[work] += _timed(work, parts.device) * (turn > 0)
    images = turns * run.batch
    states = [p for o in parts.optimizers for p in _tensors(o)]
    model = sum(p.numel() * p.element_size() for p in states)
    return Throughput(run.backbone, str(parts.device), images / took[loop], images / took[bare], _peak(parts), model)


def _forward_backward(run: Run, parts: Parts, drawn: torch.Tensor, label: torch.Tensor) -> None:
    with torch.autocast(parts.device.type, KINDS[run.precision], enabled=run.precision != "fp32"):
        embedding = parts.whole(to_input(drawn))
    parts.objective.begin_update(label, 0, parts.optimizers[1])
    parts.objective(embedding.to(torch.get_default_dtype()), label).backward()
    parts.objective.end_update(parts.optimizers[1])
    for optimizer in parts.optimizers:
        optimizer.zero_grad(set_to_none=True)


def _timed(work: Callable[[], None], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _tensors(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Weights, as many again for their gradients, and the state the optimizer keeps."""
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    state = [t for s in optimizer.state.values() for t in s.values() if isinstance(t, torch.Tensor)]
    return [*weights, *weights, *state]


def _peak(parts: Parts) -> int:
    if parts.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(parts.device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
