"""The ranks of a training (processes that train one model together), and the exchange of tensors between them.

Convention for all functions here: the loss is one number over all ranks. Each rank's backward pass yields its *share*
of the gradient, which is the part that flows through its own rows of the classifier or through its own photos. The
gradient is the sum of the shares over ranks. A process that trains alone exchanges nothing.
"""

import atexit
import os
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function

# how long a rank waits for another one, which may be rank 0 at a checkpoint, with all test sets to measure; by default
# NCCL ends a training after ten minutes. torchrun ends the others at once when a rank fails
WAIT_LIMIT = timedelta(hours=3)


def rank() -> int:
    """The number of this process among the ranks; 0 when it trains alone."""
    return dist.get_rank() if _has_other_ranks() else 0


def world_size() -> int:
    """The number of processes that train together; 1 when this one trains alone."""
    return dist.get_world_size() if _has_other_ranks() else 1


def join_ranks(device: torch.device) -> None:
    """Connect this process to the other ranks when torchrun started several processes; else do nothing.

    device: this rank's. Of several trainings in one process the later ones find the connection of the first.
    """
    atexit.unregister(_leave_ranks)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group(**group_options(device))


def group_options(device: torch.device) -> dict[str, Any]:
    """How ranks are connected that train on devices of this kind: by NCCL on GPUs, by gloo for tensors of a CPU.

    NCCL gets the device, so that it is connected to this one at once, and not to the first one when it is first used.
    """
    if device.type == "cuda":
        return {"backend": "cpu:gloo,cuda:nccl", "device_id": device, "timeout": WAIT_LIMIT}
    return {"backend": "gloo", "timeout": WAIT_LIMIT}


def leave_ranks_at_exit() -> None:
    """End the connection to the other ranks when this process ends.

    To be called when no exchange is to come. A rank that fails before that must not wait for the others, as NCCL does
    where it ends a connection that they still use: torchrun ends them when the rank's process has ended.
    """
    atexit.unregister(_leave_ranks)
    atexit.register(_leave_ranks)


def _leave_ranks() -> None:
    if _has_other_ranks():
        dist.destroy_process_group()


def rows_of_rank(n: int, *, rank: int, world: int) -> slice:
    """The rows of 0..n-1 that a rank owns: n / world consecutive ones, and one more on each of the first n % world."""
    each, remainder = divmod(n, world)
    start = each * rank + min(rank, remainder)
    return slice(start, start + each + (rank < remainder))


def gather(x: Tensor) -> Tensor:
    """The tensors x [n, ...] of all ranks, concatenated to [world * n, ...]; n is equal on all ranks.

    The gradient of x is the sum of all ranks' shares, multiplied by the number of ranks. DistributedDataParallel later
    divides a network's gradient by the number of ranks, so the network gets the exact gradient of the loss.
    """
    if world_size() == 1:
        return x
    y: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return y


def sum_as_input(x: Tensor) -> Tensor:
    """The sum of x over ranks, when each rank computes its share of the loss from it: the gradient is summed too."""
    if world_size() == 1:
        return x
    y: Tensor = _Sum.apply(x, True)  # type: ignore[no-untyped-call]
    return y


def sum_as_loss(x: Tensor) -> Tensor:
    """The sum of x over ranks, when it is the loss itself: the gradient reaches this rank's x unchanged."""
    if world_size() == 1:
        return x
    y: Tensor = _Sum.apply(x, False)  # type: ignore[no-untyped-call]
    return y


def rows_at(w: Tensor, column: Tensor) -> Tensor:
    """The rows [n, d] of w [k, d] with the numbers column [n]; an arbitrary row where column is -1; k may be 0."""
    # with k = 0 the sum gives zeros that depend on w, so the backward pass of this rank also takes part in the
    # exchanges that the other ranks wait for
    return w[column.clamp(min=0)] if len(w) else w.sum(0).expand(len(column), *w.shape[1:])


def sum_over_ranks(x: Tensor) -> Tensor:
    """The sum of x over ranks, written into x; without gradient."""
    if world_size() > 1:
        dist.all_reduce(x)
    return x


def max_over_ranks(x: Tensor) -> Tensor:
    """The maximum of x over ranks, element by element, written into x; without gradient."""
    if world_size() > 1:
        dist.all_reduce(x, op=dist.ReduceOp.MAX)
    return x


def collect_on_rank_0(local: Tensor, n: int) -> Tensor | None:
    """On rank 0 the n rows of all ranks, in CPU memory; None on the other ranks. All ranks call this.

    local: this rank's rows, those of rows_of_rank. The other ranks send their rows one after the other, so rank 0's
    device holds the rows of two ranks at a time and never all rows.
    """
    world = world_size()
    if rank() > 0:
        dist.send(local.detach().contiguous(), 0)
        return None
    rows = torch.empty((n, *local.shape[1:]), dtype=local.dtype)
    rows[rows_of_rank(n, rank=0, world=world)] = local.detach().cpu()
    for sender in range(1, world):
        owned = rows_of_rank(n, rank=sender, world=world)
        received = local.new_empty((owned.stop - owned.start, *local.shape[1:]))
        dist.recv(received, sender)
        rows[owned] = received.cpu()
    return rows


def scatter_from_rank_0(rows: Tensor | None, n: int, like: Tensor) -> Tensor:
    """This rank's part of the n rows that rank 0 has, as a new tensor of the dtype and on the device of `like`.

    rows: those of rank 0, in CPU memory; not used on the other ranks. like: this rank's rows [owned, ...] of now. All
    ranks call this. The inverse of collect_on_rank_0: rank 0's device holds the rows of two ranks at a time.
    """
    if rank() > 0:
        received = torch.empty_like(like, memory_format=torch.contiguous_format)
        dist.recv(received, 0)
        return received
    if rows is None:
        raise TypeError("rank 0 has no rows to send")
    world = world_size()
    for receiver in range(1, world):
        part = rows[rows_of_rank(n, rank=receiver, world=world)]
        dist.send(part.to(like.device, like.dtype).contiguous(), receiver)
    return rows[rows_of_rank(n, rank=0, world=world)].to(like.device, like.dtype, copy=True)


def copy_from_rank_0(x: Tensor) -> None:
    """Replace x [any shape] on every rank by rank 0's; without gradient. All ranks call this."""
    if world_size() > 1:
        sent = x.detach().contiguous()  # channels last is not contiguous
        dist.broadcast(sent, 0)
        x.detach().copy_(sent)


def _has_other_ranks() -> bool:
    return dist.is_available() and dist.is_initialized()


class _Gather(Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_ctx: Any, *grads: Any) -> Any:
        grad = sum_over_ranks(grads[0].clone())
        return grad.chunk(world_size())[rank()] * world_size()


class _Sum(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sum_gradients: bool) -> Tensor:
        ctx.sum_gradients = sum_gradients
        return sum_over_ranks(x.clone())

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return sum_over_ranks(grads[0].clone()) if ctx.sum_gradients else grads[0], None
