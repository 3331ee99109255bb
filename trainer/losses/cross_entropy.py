"""Cross-entropy over classes that are spread over ranks, with little communication and memory.

Ranks exchange three numbers per photo: the largest logit, the sum of exponentials, and the logit of the photo's own
class. The matrix of logits is overwritten by the probabilities, so it is in memory once, and once more for its
gradient.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from trainer.distributed.ranks import max_over_ranks, sum_over_ranks

Margin = Callable[[Tensor], Tensor]  # from the logits [n] of photos' own classes to their target logits [n]


class Logits(NamedTuple):
    """The arguments of cross_entropy: logits z [n, k] without margin, and the margin of the own class.

    at_cosine_1 [n]: the logit of a class at cosine 1 to the photo; None for heads whose logits are not a cosine times a
    number that depends on the photo alone.
    """

    z: Tensor
    margin: Margin
    at_cosine_1: Tensor | None = None


def cross_entropy(logits: Tensor, column: Tensor, margin: Margin, ceiling: Tensor | None = None) -> Tensor:
    """The loss [n] of each photo, the same on all ranks; its gradient reaches this rank's logits only.

    logits [n, k]: of this rank's classes; they are overwritten; k may be 0. column [n]: the column of each photo's own
    class, -1 when another rank owns the class. margin: maps the own classes' logits to target logits, which replace
    them; gradients also flow to tensors that the margin uses, such as the features' norms. ceiling [n]: other classes
    with a logit above it are left out of the sum and get no gradient.
    """
    on_this_rank, index = column >= 0, column.clamp(min=0)[:, None]
    with torch.enable_grad():
        own = _values_at(logits.detach(), index).requires_grad_()
        target = margin(own)
        # the margin's derivative is computed here, so that autograd needs no second matrix for the replaced logits
        (slope,) = torch.autograd.grad(target.sum(), own, retain_graph=True)
    losses: Tensor
    losses, _ = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits, target, on_this_rank, index, slope, ceiling
    )
    return losses


class _CrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, target: Tensor, on_this_rank: Tensor, index: Tensor, slope: Tensor, ceiling: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if ceiling is not None:
            z.masked_fill_(z > ceiling[:, None], -torch.inf)
        # a row whose class is on another rank writes back its old value: boolean indexing would wait for the GPU
        if z.shape[1]:
            z.scatter_(1, index, torch.where(on_this_rank, target, _values_at(z, index))[:, None])
        largest = max_over_ranks(z.amax(1) if z.shape[1] else z.new_full((len(z),), -torch.inf))
        z.sub_(largest[:, None]).exp_()
        own = torch.where(on_this_rank, target - largest, 0)
        sums, own = sum_over_ranks(torch.stack([z.sum(1), own]))
        z.div_(sums[:, None])
        ctx.mark_dirty(z)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(z, on_this_rank, index, slope)
        return sums.log() - own, z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        if grads[0] is None:  # no gradient of the losses is needed
            return (None,) * 6
        probability, on_this_rank, index, slope = ctx.saved_tensors
        grad = probability * grads[0][:, None]
        own_grad = _values_at(grad, index)
        target_grad = torch.where(on_this_rank, own_grad - grads[0], 0)
        if grad.shape[1]:
            grad.scatter_(1, index, torch.where(on_this_rank, target_grad * slope, own_grad)[:, None])
        return grad, target_grad, None, None, None, None


def _values_at(z: Tensor, index: Tensor) -> Tensor:
    """The value [n] of each row of z [n, k] in the column index [n, 1]; 0 when k is 0."""
    return z.gather(1, index)[:, 0] if z.shape[1] else z.new_zeros(len(z))
