"""Rows brought to norm 1, with a backward pass that allocates one matrix and not five: a classifier has many rows."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

# a row of zeros stays zeros, as in torch.nn.functional.normalize
_MIN_NORM = 1e-12


def l2_normalize(x: Tensor) -> Tensor:
    """x [..., d] with each row divided by its norm."""
    y: Tensor = _L2Normalize.apply(x)  # type: ignore[no-untyped-call]
    return y


class _L2Normalize(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        norm = x.norm(dim=-1, keepdim=True).clamp(min=_MIN_NORM)
        y: Tensor = x / norm
        ctx.save_for_backward(y, norm)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        y, norm = ctx.saved_tensors
        # the gradient less its part along y; vecdot sums each row without a matrix of products
        along = torch.linalg.vecdot(y, grads[0]).unsqueeze(-1)
        return torch.addcmul(grads[0], y, along, value=-1).div_(norm)
