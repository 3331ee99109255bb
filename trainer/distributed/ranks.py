"""Which process of how many this is, and what the processes exchange; alone, nothing is exchanged and all is the same.

One convention holds throughout. A loss is one number over all ranks, and every rank's backward pass yields that rank's
*share* of its gradient: through its own rows of a classifier, or its own photos. Summed over ranks, shares are the
gradient.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function


def rank() -> int:
    """This process's number; 0 when it is alone."""
    return dist.get_rank() if _together() else 0


def world_size() -> int:
    """How many processes train together; 1 when this one is alone."""
    return dist.get_world_size() if _together() else 1


def deal(n: int, *, rank: int, world: int) -> slice:
    """The consecutive ones of n things that a rank owns: all ranks as many, the first n % world one more."""
    each, more = divmod(n, world)
    start = each * rank + min(rank, more)
    return slice(start, start + each + (rank < more))


def gather(x: Tensor) -> Tensor:
    """All ranks' x [n, ...] below one another: [world * n, ...], n being equal on all ranks.

    The gradient of x sums what all ranks' shares ask of it, times the number of ranks: a network wrapped in
    DistributedDataParallel, which then averages over ranks, gets the gradient of the one loss.
    """
    if world_size() == 1:
        return x
    y: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return y


def total(x: Tensor) -> Tensor:
    """The sum over ranks, of which every rank then makes another use: its gradient sums all ranks' shares."""
    if world_size() == 1:
        return x
    y: Tensor = _Total.apply(x, True)  # type: ignore[no-untyped-call]
    return y


def sum_of_shares(x: Tensor) -> Tensor:
    """The sum over ranks, to be read as the loss itself; every rank differentiates its own share alone."""
    if world_size() == 1:
        return x
    y: Tensor = _Total.apply(x, False)  # type: ignore[no-untyped-call]
    return y


def own_rows(w: Tensor, place: Tensor) -> Tensor:
    """The rows of w [k, d] at place [n]: [n, d], of any value where place is -1; k may be 0."""
    # a sum over no rows is zeros that belong to w's graph: a backward pass that others wait for takes place here, too
    return w[place.clamp(min=0)] if len(w) else w.sum(0).expand(len(place), *w.shape[1:])


def sum_over_ranks(x: Tensor) -> Tensor:
    """x, now in place the sum over ranks; without gradient."""
    if world_size() > 1:
        dist.all_reduce(x)
    return x


def max_over_ranks(x: Tensor) -> Tensor:
    """x, now in place the largest over ranks; without gradient."""
    if world_size() > 1:
        dist.all_reduce(x, op=dist.ReduceOp.MAX)
    return x


def whole(local: Tensor, n: int) -> Tensor | None:
    """On rank 0 all n dealt rows, in the processor's memory; None on the other ranks.

    Ranks send one after the other, so that rank 0's device holds two shards and never all rows.
    """
    here, world = rank(), world_size()
    if here > 0:
        dist.send(local.detach().contiguous(), 0)
        return None
    rows = torch.empty((n, *local.shape[1:]), dtype=local.dtype)
    rows[deal(n, rank=0, world=world)] = local.detach().cpu()
    for other in range(1, world):
        theirs = deal(n, rank=other, world=world)
        shard = local.new_empty((theirs.stop - theirs.start, *local.shape[1:]))
        dist.recv(shard, other)
        rows[theirs] = shard.cpu()
    return rows


def _together() -> bool:
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


class _Total(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, shared: bool) -> Tensor:
        ctx.shared = shared
        return sum_over_ranks(x.clone())

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return sum_over_ranks(grads[0].clone()) if ctx.shared else grads[0], None
