"""Which of several processes (ranks) this is, and what ranks exchange; a process alone exchanges nothing.

One convention holds throughout. The loss is one number over all ranks, and each rank's backward pass yields its *share*
of the gradient: the part that flows through its own rows of the classifier, or through its own photos. The gradient is
the sum of the shares over ranks.
"""

import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function


def rank() -> int:
    """This process's number; 0 when it is alone."""
    return dist.get_rank() if _several() else 0


def world_size() -> int:
    """How many processes train together; 1 when this one is alone."""
    return dist.get_world_size() if _several() else 1


def join_ranks() -> None:
    """Connect this process to the other ranks, where torchrun started it as one of several."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def rows_of_rank(n: int, *, rank: int, world: int) -> slice:
    """The consecutive rows of n that a rank owns: n / world of them, and one more on each of the first n % world."""
    each, more = divmod(n, world)
    start = each * rank + min(rank, more)
    return slice(start, start + each + (rank < more))


def gather(x: Tensor) -> Tensor:
    """The x [n, ...] of all ranks, concatenated: [world * n, ...]; n is equal on all ranks.

    The gradient of x is the sum of all ranks' shares times the number of ranks: a network wrapped in
    DistributedDataParallel, which averages over ranks, so gets the gradient of the one loss.
    """
    if world_size() == 1:
        return x
    y: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return y


def sum_as_input(x: Tensor) -> Tensor:
    """The sum over ranks, which each rank then computes its share of the loss from: gradients are summed over ranks."""
    if world_size() == 1:
        return x
    y: Tensor = _Sum.apply(x, True)  # type: ignore[no-untyped-call]
    return y


def sum_as_loss(x: Tensor) -> Tensor:
    """The sum over ranks, which is the loss itself: the gradient flows into this rank's share x alone."""
    if world_size() == 1:
        return x
    y: Tensor = _Sum.apply(x, False)  # type: ignore[no-untyped-call]
    return y


def rows_at(w: Tensor, column: Tensor) -> Tensor:
    """The rows [n, d] of w [k, d] at column [n]; arbitrary ones where column is -1; k may be 0."""
    # the sum over no rows is zeros in w's graph: the other ranks' backward pass waits for this one's to take place
    return w[column.clamp(min=0)] if len(w) else w.sum(0).expand(len(column), *w.shape[1:])


def sum_over_ranks(x: Tensor) -> Tensor:
    """x, overwritten by its sum over ranks; without gradient."""
    if world_size() > 1:
        dist.all_reduce(x)
    return x


def max_over_ranks(x: Tensor) -> Tensor:
    """x, overwritten by its maximum over ranks; without gradient."""
    if world_size() > 1:
        dist.all_reduce(x, op=dist.ReduceOp.MAX)
    return x


def collect_on_rank_0(local: Tensor, n: int) -> Tensor | None:
    """On rank 0 all n rows that rows_of_rank spread over ranks, in CPU memory; None on the other ranks.

    Ranks send one after the other, so rank 0's device holds two ranks' rows and never all of them.
    """
    me, world = rank(), world_size()
    if me > 0:
        dist.send(local.detach().contiguous(), 0)
        return None
    rows = torch.empty((n, *local.shape[1:]), dtype=local.dtype)
    rows[rows_of_rank(n, rank=0, world=world)] = local.detach().cpu()
    for other in range(1, world):
        theirs = rows_of_rank(n, rank=other, world=world)
        received = local.new_empty((theirs.stop - theirs.start, *local.shape[1:]))
        dist.recv(received, other)
        rows[theirs] = received.cpu()
    return rows


def _several() -> bool:
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
