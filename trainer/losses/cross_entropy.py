"""Cross-entropy over classes that are spread over ranks: ranks exchange three numbers a photo, never logits.

These are the largest logit, the sum of exponentials and the logit of the own class. The matrix of logits is overwritten
by the probabilities, so an update holds it once, and once more for its gradient.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from trainer.distributed.ranks import max_over_ranks, sum_over_ranks

Margin = Callable[[Tensor], Tensor]


def cross_entropy(logits: Tensor, column: Tensor, margin: Margin, ceiling: Tensor | None = None) -> Tensor:
    """The loss [n] of each photo, the same on all ranks; its gradient reaches this rank's logits only.

    logits [n, k]: of this rank's classes, overwritten; k may be 0. column [n]: which of them is a photo's own class, -1
    where another rank has it. margin: maps the own classes' logits [n] to the target logits; gradients also flow to
    what it depends on, such as the features' norms. ceiling [n]: logits of other classes above it are left out of the
    sum and get no gradient.
    """
    here, index = column >= 0, column.clamp(min=0)[:, None]
    with torch.enable_grad():
        own = _at(logits.detach(), index).requires_grad_()
        target = margin(own)
        # the margin's derivative; with it, autograd needs no second matrix for the few logits that are replaced
        (slope,) = torch.autograd.grad(target.sum(), own, retain_graph=True)
    losses: Tensor
    losses, _ = _CrossEntropy.apply(logits, target, here, index, slope, ceiling)  # type: ignore[no-untyped-call]
    return losses


class _CrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, target: Tensor, here: Tensor, index: Tensor, slope: Tensor, ceiling: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if ceiling is not None:
            z.masked_fill_(z > ceiling[:, None], -torch.inf)
        # a row whose class is on another rank writes back its old value: boolean indexing would wait for the GPU
        if z.shape[1]:
            z.scatter_(1, index, torch.where(here, target, _at(z, index))[:, None])
        top = max_over_ranks(z.amax(1) if z.shape[1] else z.new_full((len(z),), -torch.inf))
        z.sub_(top[:, None]).exp_()
        own = torch.where(here, target - top, 0)
        sums, own = sum_over_ranks(torch.stack([z.sum(1), own]))
        z.div_(sums[:, None])
        ctx.mark_dirty(z)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(z, here, index, slope)
        return sums.log() - own, z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        if grads[0] is None:  # the loss's gradient is not asked for
            return (None,) * 6
        probability, here, index, slope = ctx.saved_tensors
        grad = probability * grads[0][:, None]
        at_own = _at(grad, index)
        of_target = torch.where(here, at_own - grads[0], 0)
        if grad.shape[1]:
            grad.scatter_(1, index, torch.where(here, of_target * slope, at_own)[:, None])
        return grad, of_target, None, None, None, None


def _at(z: Tensor, index: Tensor) -> Tensor:
    """The value [n] in each row of z [n, k] at index [n, 1]; 0 where k is 0."""
    return z.gather(1, index)[:, 0] if z.shape[1] else z.new_zeros(len(z))
