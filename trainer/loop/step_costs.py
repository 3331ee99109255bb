"""What one update costs on two ranks, counted by hooks: exchanges between ranks, and bytes kept for the backward pass.

Both numbers are the same on a processor and on a GPU, where they take time and memory; the ranks here are two processes
on the CPU, joined by gloo.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn
from torch.utils._python_dispatch import TorchDispatchMode

from trainer.loop.learner import Learner, make_learner
from trainer.loop.update import forward, step_optimizers
from trainer.run import Run

CLASSES = 1000
RANKS = 2
RESULT = "costs.pt"


class StepCosts(NamedTuple):
    """The costs of an update.

    exchanges: collective calls of a rank. saved_bytes: kept for the backward pass, for each photo of a rank, without
    weights. norms: batch norms of the network.
    """

    exchanges: int
    saved_bytes: int
    norms: int


def two_rank_costs(run: Run) -> StepCosts:
    """The costs of an update of a run on two ranks with random faces of 1,000 classes, in two processes."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(_rank_process, (run, folder), nprocs=RANKS)  # type: ignore[no-untyped-call]
        return StepCosts(*torch.load(Path(folder, RESULT), weights_only=True))


def step_costs(run: Run, classes: int) -> StepCosts:
    """The costs of an update of a run in this process group; all ranks call this."""
    learner = make_learner(run, classes, torch.device("cpu"))
    photos = run.batch // dist.get_world_size()
    generator = torch.Generator().manual_seed(0)
    shape = (photos, run.channels, run.size, run.size)
    faces = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    label = torch.randint(0, classes, (photos,), generator=generator)
    for _ in range(2):  # DistributedDataParallel arranges its exchanges anew in the first two updates
        _make_update(run, learner, faces, label)
    saved = _SavedBytes(learner.net)
    with _CountedExchanges() as counted, torch.autograd.graph.saved_tensors_hooks(saved.pack, saved.unpack):
        _make_update(run, learner, faces, label)
    norms = sum(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in learner.net.modules())  # noqa: SLF001
    return StepCosts(counted.exchanges, saved.bytes // photos, norms)


def _rank_process(rank: int, run: Run, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=RANKS)
    costs = step_costs(run, CLASSES)
    if rank == 0:
        torch.save(list(costs), Path(folder, RESULT))
    dist.destroy_process_group()


def _make_update(run: Run, learner: Learner, faces: Tensor, label: Tensor) -> None:
    """One update without the stream of batches; label [n]: of each rank's photos."""
    for optimizer in learner.optimizers:
        optimizer.zero_grad(set_to_none=True)
    learner.objective.begin_update(label.repeat(dist.get_world_size()), 0, learner.optimizers[1])
    forward(run, learner, faces, label).backward()  # type: ignore[no-untyped-call]
    step_optimizers(run, learner)
    learner.objective.end_update(learner.optimizers[1])


class _CountedExchanges(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the calls of collective functions, those in the backward pass too."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.exchanges = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.exchanges += func.namespace == "c10d"
        return func(*args, **(kwargs or {}))


class _SavedBytes:
    """Counts the bytes of the tensors that are kept for the backward pass; a tensor that is kept twice counts once."""

    def __init__(self, net: torch.nn.Module) -> None:
        self.bytes = 0
        self.seen = {_place(p) for p in net.parameters()}

    def pack(self, x: Tensor) -> Tensor:
        """Called for each tensor that is kept."""
        if _place(x) not in self.seen:
            self.seen.add(_place(x))
            self.bytes += x.untyped_storage().nbytes()
        return x

    def unpack(self, x: Tensor) -> Tensor:
        """Called for each tensor in the backward pass."""
        return x


def _place(x: Tensor) -> int:
    return x.untyped_storage().data_ptr()
