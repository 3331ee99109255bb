"""AdaFace: logits photo by photo by the paper's formula, gradients, and the averages of the norms."""

import math

import pytest
import torch
from torch import Tensor, nn

from trainer.losses.adaface import AdaFace
from trainer.losses.objective import make_objective

CLASSES, DIM = 5, 4
LABEL = torch.tensor([0, 3, 1, 4, 4, 2, 2])
NORMS = torch.tensor([0.5, 3.0, 7.0, 9.0, 12.0, 30.0, 400.0], dtype=torch.float64)
AVERAGES = torch.tensor([8.0, 4.0], dtype=torch.float64)
HEADS = [AdaFace(), AdaFace(scale=16, margin=0.7, h=1.5)]


def drawn() -> tuple[Tensor, Tensor]:
    """Directions of features, and class weights; the last photo but one shows its class at an angle near 0."""
    generator = torch.Generator().manual_seed(7)
    u = torch.randn(len(LABEL), DIM, generator=generator, dtype=torch.float64)
    w = torch.randn(CLASSES, DIM, generator=generator, dtype=torch.float64)
    u[5] = w[2] + 0.01
    return u, w


def with_margin(head: AdaFace, x: Tensor, w: Tensor) -> Tensor:
    z, margin, _ = head.logits(x, w, LABEL, AVERAGES)
    return z.scatter(1, LABEL[:, None], margin(z.gather(1, LABEL[:, None])[:, 0])[:, None])


def slow_logit(head: AdaFace, x: list[float], w: list[float], is_own_class: bool) -> float:
    norm = math.hypot(*x)
    t = math.acos(sum(p * q for p, q in zip(x, w, strict=True)) / norm / math.hypot(*w))
    if not is_own_class:
        return head.scale * math.cos(t)
    quality = head.h * (min(max(norm, 0.001), 100) - 8) / (4 + 0.001)
    quality = min(max(quality, -1), 1)
    turned = max(t - head.margin * quality, 0)
    value = math.cos(turned) if turned <= math.pi else -math.cos(turned) - 2
    return head.scale * (value - head.margin - head.margin * quality)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_logits_equal_the_formula_of_the_paper(head: AdaFace) -> None:
    u, w = drawn()
    x = NORMS[:, None] * nn.functional.normalize(u)
    quality = head.quality(x, AVERAGES)
    assert quality.min() < 0 < quality.max() == 1
    expected = [
        [slow_logit(head, x[i].tolist(), w[j].tolist(), j == LABEL[i]) for j in range(CLASSES)]
        for i in range(len(LABEL))
    ]
    torch.testing.assert_close(with_margin(head, x, w), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_gradients_reach_directions_and_weights_but_not_norms(head: AdaFace) -> None:
    u, w = (v.requires_grad_() for v in drawn())

    def value(u: Tensor, w: Tensor) -> Tensor:
        return with_margin(head, NORMS[:, None] * nn.functional.normalize(u), w)

    assert torch.autograd.gradcheck(value, (u, w))
    x = (NORMS[:, None] * nn.functional.normalize(u)).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(with_margin(head, x, w).square().sum(), x)
    assert (gradient * x).sum(1).abs().max() < 1e-9 * gradient.abs().max()


def test_low_quality_has_arcfaces_margin_and_middle_quality_cosfaces() -> None:
    head, t = AdaFace(), torch.tensor([0.5, 1.2], dtype=torch.float64)
    x = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(2, 2)
    w = torch.stack([torch.cos(t), torch.sin(t)], 1)
    for mean, expected in ((1e6, torch.cos(t + 0.4)), (1.0, torch.cos(t) - 0.4)):
        z, margin, _ = head.logits(x, w, torch.tensor([0, 1]), torch.tensor([mean, 0.0]))
        torch.testing.assert_close(margin(z.diagonal()), 64 * expected)


def test_the_averages_follow_the_batches_of_a_training_only() -> None:
    ob = make_objective("adaface:rate=0.25", classes=CLASSES, dim=2).double()
    x = torch.tensor([[3.0, 4.0], [0.0, 9.0], [13.0, 0.0]], dtype=torch.float64)  # norms 5, 9, 13: sd 4
    assert ob.averages is not None
    ob(x, torch.tensor([0, 1, 2]))
    assert ob.averages.values.tolist() == pytest.approx([0.25 * 9 + 15, 0.25 * 4 + 75])
    ob(x[:1], torch.tensor([0]))  # a single photo has no standard deviation
    assert ob.averages.values.tolist() == pytest.approx([0.25 * 5 + 0.75 * 17.25, 76])
    ob.eval()(x, torch.tensor([0, 1, 2]))
    assert ob.averages.values.tolist() == pytest.approx([0.25 * 5 + 0.75 * 17.25, 76])
