"""One update of a training: a batch through the network, the gradient, and the optimizers' step.

Backbone and classifier have an optimizer each, and move together or not at all.
"""

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from trainer.data.batches import Batch
from trainer.distributed.ranks import max_over_ranks, rank, world_size
from trainer.embedder import to_input
from trainer.loop.learner import Learner
from trainer.loop.schedule import learning_rate
from trainer.run import Run

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}  # by a run's precision


def update(run: Run, learner: Learner, batches: Iterator[Batch], step: int) -> tuple[Tensor, Tensor]:
    """Train on the next batch; returns its mean loss over all ranks, and the gradient's norm before clipping."""
    torch.manual_seed((run.seed * 1_000_003 + step) * world_size() + rank())  # so dropout depends on the step alone
    batch = next(batches)
    faces, label = (torch.from_numpy(a).to(learner.device, non_blocking=True) for a in batch)
    _, of_objective = learner.optimizers
    for optimizer in learner.optimizers:
        optimizer.zero_grad(set_to_none=True)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(run, step)
    learner.objective.begin_update(label, step, of_objective)
    total = torch.zeros((), device=learner.device)
    pieces = list(zip(faces.chunk(run.accumulate), label.chunk(run.accumulate), strict=True))
    for i, (x, y) in enumerate(pieces):
        wrapped, is_last = learner.wrapped, i + 1 == len(pieces)
        # ranks exchange gradients once, at the last piece
        with wrapped.no_sync() if isinstance(wrapped, DistributedDataParallel) and not is_last else nullcontext():
            loss = forward(run, learner, x, y) / len(pieces)
            learner.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    norm = step_optimizers(run, learner)
    learner.objective.end_update(of_objective)
    return total, norm


def forward(run: Run, learner: Learner, faces: Tensor, label: Tensor) -> Tensor:
    """The loss of faces [n, c, s, s] uint8 with labels [n]; the backbone computes in the run's precision."""
    with torch.autocast(learner.device.type, DTYPES[run.precision], enabled=run.precision != "fp32"):
        features = learner.wrapped(to_input(faces))
    loss: Tensor = learner.objective(features.to(torch.get_default_dtype()), label)
    return loss


def step_optimizers(run: Run, learner: Learner) -> Tensor:
    """Step both optimizers by the gradients at hand; returns the norm of the backbone's gradient before clipping.

    With loss scaling (fp16) neither steps where any gradient on any rank is not finite.
    """
    # a triplet loss has no weights, and the scaler refuses an optimizer without gradients
    optimizers = [o for o in learner.optimizers if any(True for _ in _gradients(o))]
    if learner.scaler.is_enabled():
        overflow = torch.stack([~g.isfinite().all() for o in optimizers for g in _gradients(o)]).any()
        overflow = max_over_ranks(overflow.float()) > 0
        for optimizer in optimizers:  # the scaler decides for each optimizer by its own gradients alone
            max(_gradients(optimizer), key=torch.Tensor.numel).masked_fill_(overflow, float("inf"))
    for optimizer in optimizers:
        learner.scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(learner.net.parameters(), run.clip or float("inf"))
    for optimizer in optimizers:
        learner.scaler.step(optimizer)
    learner.scaler.update()
    return norm


def _gradients(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    return (p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None)
