"""Cross-entropy over classes that lie on several ranks: logits are never gathered, three numbers a photo are.

Largest logit, sum of exponentials and own logit meet by all-reduce. The matrix of logits is turned into probabilities
in its own memory, so that a step holds it once, and once more for its gradient.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from trainer.distributed.ranks import max_over_ranks, sum_over_ranks

Margin = Callable[[Tensor], Tensor]


def cross_entropy(logits: Tensor, place: Tensor, margin: Margin, ceiling: Tensor | None = None) -> Tensor:
    """The loss [n] of each photo, the same on all ranks; its gradient with regard to this rank's columns only.

    logits [n, k] of this rank's classes are used up. place [n] is the column of a photo's class, -1 where another rank
    has it, and k may be 0; margin maps the own logits [n] to what stands in their place (it may carry gradients of its
    own, such as with regard to features' norms). Negatives above ceiling [n] are left out: they count nothing and get
    no gradient.
    """
    mine, column = place >= 0, place.clamp(min=0)[:, None]
    with torch.enable_grad():
        own = _at(logits.detach(), column).requires_grad_()
        target = margin(own)
        # what a step of the own logit counts; with it, autograd needs no second matrix for the few replaced logits
        (slope,) = torch.autograd.grad(target.sum(), own, retain_graph=True)
    loss, _ = _CrossEntropy.apply(logits, target, mine, column, slope, ceiling)  # type: ignore[no-untyped-call]
    each: Tensor = loss
    return each


class _CrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, target: Tensor, mine: Tensor, column: Tensor, slope: Tensor, ceiling: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if ceiling is not None:
            z.masked_fill_(z > ceiling[:, None], -torch.inf)
        # a row without a class here writes back what stands there: no boolean indexing, which would wait for the GPU
        if z.shape[1]:
            z.scatter_(1, column, torch.where(mine, target, _at(z, column))[:, None])
        top = max_over_ranks(z.amax(1) if z.shape[1] else z.new_full((len(z),), -torch.inf))
        z.sub_(top[:, None]).exp_()
        own = torch.where(mine, target - top, 0)
        sums, own = sum_over_ranks(torch.stack([z.sum(1), own]))
        z.div_(sums[:, None])
        ctx.mark_dirty(z)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(z, mine, column, slope)
        return sums.log() - own, z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        if grads[0] is None:  # nobody asks for the loss's gradient
            return (None,) * 6
        probability, mine, column, slope = ctx.saved_tensors
        grad = probability * grads[0][:, None]
        at_own = _at(grad, column)
        of_target = torch.where(mine, at_own - grads[0], 0)
        if grad.shape[1]:
            grad.scatter_(1, column, torch.where(mine, of_target * slope, at_own)[:, None])
        return grad, of_target, None, None, None, None


def _at(z: Tensor, column: Tensor) -> Tensor:
    """Of each row of z [n, k] what stands at column [n, 1]; 0 where there are no columns."""
    return z.gather(1, column)[:, 0] if z.shape[1] else z.new_zeros(len(z))
