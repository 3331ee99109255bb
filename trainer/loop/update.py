"""One update of a training: forward and backward pass of a batch, then a step of both optimizers.

Backbone and classifier have an optimizer each. With loss scaling, either both optimizers step or neither does.
"""

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from trainer.data.batches import Batch
from trainer.distributed.ranks import max_over_ranks, rank, world_size
from trainer.distributed.transfer import to_device
from trainer.embedder import to_input
from trainer.loop.learner import Learner
from trainer.loop.schedule import learning_rate
from trainer.run import Run

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}  # by a run's precision


def update(run: Run, learner: Learner, batches: Iterator[Batch], step: int) -> tuple[Tensor, Tensor]:
    """Train on the next batch; step: the number of this update, from 0.

    Returns the batch's mean loss over all ranks, and the norm of the backbone's gradient before clipping.
    """
    # seeded anew at each update, so dropout is the same after a stop
    torch.manual_seed((run.seed * 1_000_003 + step) * world_size() + rank())
    batch = next(batches)
    faces, label = (to_device(torch.from_numpy(a), learner.device) for a in (batch.faces, batch.label))
    _, objective_optimizer = learner.optimizers
    for optimizer in learner.optimizers:
        optimizer.zero_grad(set_to_none=True)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(run, step) * group.get("lr_factor", 1.0)
    learner.objective.begin_update(torch.from_numpy(batch.all_labels), step, objective_optimizer)
    batch_loss = torch.zeros((), device=learner.device)
    micro_batches = list(zip(faces.chunk(run.accumulate), label.chunk(run.accumulate), strict=True))
    for i, (x, y) in enumerate(micro_batches):
        wrapped, is_last = learner.wrapped, i + 1 == len(micro_batches)
        # ranks exchange gradients once, at the last micro-batch
        with wrapped.no_sync() if isinstance(wrapped, DistributedDataParallel) and not is_last else nullcontext():
            loss = forward(run, learner, x, y) / len(micro_batches)
            learner.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        batch_loss += loss.detach()
    norm = step_optimizers(run, learner)
    learner.objective.end_update(objective_optimizer)
    return batch_loss, norm


def forward(run: Run, learner: Learner, faces: Tensor, label: Tensor) -> Tensor:
    """The mean loss of faces [n, c, s, s] uint8 with labels [n]; the backbone computes in the run's precision."""
    with torch.autocast(learner.device.type, DTYPES[run.precision], enabled=run.precision != "fp32"):
        features = learner.wrapped(to_input(faces))
    loss: Tensor = learner.objective(features.to(torch.get_default_dtype()), label)
    return loss


def step_optimizers(run: Run, learner: Learner) -> Tensor:
    """Step both optimizers with the gradients of the backward pass, the backbone's clipped to norm run.clip.

    With loss scaling (fp16) neither steps when any gradient on any rank is not finite. Returns the norm of the
    backbone's gradient before clipping.
    """
    # a triplet loss has no weights, and GradScaler raises an error for an optimizer without gradients
    optimizers = [o for o in learner.optimizers if any(True for _ in _gradients(o))]
    if learner.scaler.is_enabled():
        overflow = torch.stack([~g.isfinite().all() for o in optimizers for g in _gradients(o)]).any()
        overflow = max_over_ranks(overflow.float()) > 0
        for optimizer in optimizers:  # GradScaler skips an optimizer's step when its own gradients hold an inf
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
