"""Cross-entropy: against sums of exponentials, and at logits whose exponentials overflow a float."""

import math

import pytest
import torch
from torch import Tensor

from trainer.losses.cross_entropy import cross_entropy

Z = torch.tensor([[1.0, -2, 0.5, 3], [0, 1, 2, -1], [4, 4, -3, 0]], dtype=torch.float64)
LABEL = torch.tensor([3, 0, 1])


def slow(z: Tensor, label: Tensor, targets: list[float], ceiling: float = math.inf) -> list[float]:
    losses = []
    for row, y, target in zip(z.tolist(), label.tolist(), targets, strict=True):
        exponentials = [math.exp(v) for j, v in enumerate(row) if j != y and v <= ceiling]
        losses.append(math.log(sum(exponentials) + math.exp(target)) - target)
    return losses


def margin(logits: Tensor) -> Tensor:
    return logits**2 / 4 - 1


def test_the_loss_of_every_photo() -> None:
    losses = cross_entropy(Z.clone(), LABEL, margin)
    assert losses.tolist() == pytest.approx(slow(Z, LABEL, [9 / 4 - 1, -1, 16 / 4 - 1]))


def test_the_gradient_reaches_logits_and_what_the_margin_depends_on() -> None:
    scale = torch.tensor([1.5, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    z = Z.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z, s: cross_entropy(z * 1, LABEL, lambda logits: s * logits**2), (z, scale))


def test_other_classes_above_the_ceiling_are_left_out_and_the_own_class_is_not() -> None:
    z = Z.clone().requires_grad_()
    losses = cross_entropy(z * 1, LABEL, lambda logits: logits, torch.full((3,), 1.5, dtype=torch.float64))
    assert losses.tolist() == pytest.approx(slow(Z, LABEL, [3, 0, 4], ceiling=1.5))
    (grad,) = torch.autograd.grad(losses.sum(), z)
    assert grad[1, 2] == 0  # a 2 beside the own class's 0
    assert grad[2, 0] == 0
    assert (grad[torch.arange(3), LABEL] < 0).all()


def test_logits_too_large_for_an_exponential() -> None:
    z = torch.tensor([[5000.0, 4999, -5000], [-5000, -5001, -6000]], requires_grad=True)
    losses = cross_entropy(z * 1, torch.tensor([1, 0]), lambda logits: logits)
    assert losses.tolist() == pytest.approx([math.log(1 + math.e), math.log(1 + 1 / math.e)], rel=1e-5)
    losses.sum().backward()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_the_logits_are_overwritten_by_the_probabilities() -> None:
    z = Z.clone()
    cross_entropy(z, LABEL, lambda logits: logits)
    torch.testing.assert_close(z, torch.softmax(Z, 1))
