"""Rows divided by their norm: the values, and the gradient."""

import torch

from trainer.losses.l2_normalize import l2_normalize

X = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_values_and_gradient() -> None:
    torch.testing.assert_close(l2_normalize(torch.tensor([[3.0, 4], [0, 0]])), torch.tensor([[0.6, 0.8], [0, 0]]))
    torch.testing.assert_close(l2_normalize(X), X / X.square().sum(-1, keepdim=True).sqrt())
    assert torch.autograd.gradcheck(l2_normalize, (X.clone().requires_grad_(),))
