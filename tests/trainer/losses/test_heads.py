"""Heads: the logits of each head against its paper's formula, photo by photo and class by class.

AdaFace and CurricularFace have test modules of their own.
"""

import math

import pytest
import torch
from torch import Tensor

from trainer.losses.heads import (
    HEADS,
    CombinedMargin,
    Head,
    Linear,
    MovingHead,
    NormMargin,
    PiecewiseMargin,
    compute_logits,
    weight_shape,
)

N, CLASSES, DIM, STEP = 6, 5, 4, 100
LABEL = torch.tensor([0, 3, 1, 4, 4, 2])


def drawn(head: Head) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(N, DIM, generator=generator, dtype=torch.float64)
    return x, torch.randn(CLASSES, *weight_shape(head, DIM), generator=generator, dtype=torch.float64)


def angle(a: list[float], b: list[float]) -> float:
    dot = sum(p * q for p, q in zip(a, b, strict=True))
    return math.acos(dot / math.hypot(*a) / math.hypot(*b))


def slow_psi(x: float) -> float:
    level = 0.0
    while x > math.pi:
        x, level = x - math.pi, level - 2
    return math.cos(x) + level


def slow_logit(head: Head, x: list[float], w: list, is_own_class: bool) -> float:
    if isinstance(head, Linear):
        return sum(p * q for p, q in zip(x, w[:-1], strict=True)) + w[-1]
    if isinstance(head, CombinedMargin):
        t = min(angle(x, centre) for centre in w) if head.centres > 1 else angle(x, w)
        return head.scale * (slow_psi(head.m1 * t + head.m2) - head.m3 if is_own_class else math.cos(t))
    if isinstance(head, NormMargin):
        norm = min(max(math.hypot(*x), head.lower_norm), head.upper_norm)
        share = (norm - head.lower_norm) / (head.upper_norm - head.lower_norm)
        margin = (1 - share) * head.lower_margin + share * head.upper_margin
        return head.scale * (slow_psi(angle(x, w) + margin) if is_own_class else math.cos(angle(x, w)))
    t, size = angle(x, w), math.hypot(*x) * (math.hypot(*w) if head.keep_weights else 1)
    cosine_weight = max(head.least, head.base / (1 + head.gamma * STEP) ** head.power)
    return size * (
        (cosine_weight * math.cos(t) + slow_psi(head.m * t)) / (1 + cosine_weight) if is_own_class else math.cos(t)
    )


# norms of the drawn features lie below, between and above these
HEADS_HERE = {name: head for name, head in HEADS.items() if not isinstance(head, MovingHead)}
HEADS_HERE["magface, other norms"] = NormMargin(lower_norm=1.2, upper_norm=2.2, weight=3.0)


@pytest.mark.parametrize("name", HEADS_HERE)
def test_logits_equal_the_formula_of_the_paper(name: str) -> None:
    head = HEADS_HERE[name]
    x, w = drawn(head)
    z, margin, _ = compute_logits(head, x, w, LABEL, step=STEP)
    actual = z.scatter(1, LABEL[:, None], margin(z.gather(1, LABEL[:, None])[:, 0])[:, None])
    expected = [
        [slow_logit(head, x[i].tolist(), w[j].tolist(), is_own_class=j == LABEL[i]) for j in range(CLASSES)]
        for i in range(N)
    ]
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("name", HEADS_HERE)
def test_gradients_reach_features_and_weights(name: str) -> None:
    """In A-Softmax, L-Softmax and MagFace also through the norms."""
    head = HEADS_HERE[name]
    x, w = (v.requires_grad_() for v in drawn(head))

    def value(x: Tensor, w: Tensor) -> Tensor:
        z, margin, _ = compute_logits(head, x, w, LABEL, step=STEP)
        return z.scatter(1, LABEL[:, None], margin(z.gather(1, LABEL[:, None])[:, 0])[:, None])

    assert torch.autograd.gradcheck(value, (x, w))


def test_the_regulariser_of_magface_by_hand() -> None:
    head = HEADS_HERE["magface, other norms"]
    assert isinstance(head, NormMargin)
    x, _ = drawn(head)
    norms = [min(max(math.hypot(*row), 1.2), 2.2) for row in x.tolist()]
    assert min(norms) == 1.2 or max(norms) == 2.2
    assert len(set(norms)) > 2
    assert head.regulariser(x).tolist() == pytest.approx([3 * (1 / a + a / 2.2**2) for a in norms])
    assert torch.autograd.gradcheck(head.regulariser, (x.requires_grad_(),))


def test_published_settings() -> None:
    def setting(name: str) -> tuple[float, ...]:
        head = HEADS[name]
        assert isinstance(head, CombinedMargin)
        return head.scale, head.m1, head.m2, head.m3

    assert {name: setting(name) for name, head in HEADS.items() if isinstance(head, CombinedMargin)} == {
        "norm_softmax": (64, 1, 0, 0),
        "norm_softmax_20": (20, 1, 0, 0),
        "arcface": (64, 1, 0.5, 0),
        "cosface": (64, 1, 0, 0.35),
        "amsoftmax": (30, 1, 0, 0.35),
        "sphereface": (64, 1.35, 0, 0),
        "cm1": (64, 1, 0.3, 0.2),
        "cm2": (64, 0.9, 0.4, 0.15),
        "subcenter": (64, 1, 0.5, 0),
    }


def test_lambda_falls_to_its_lower_limit() -> None:
    head = PiecewiseMargin()
    assert [head.cosine_weight(step) for step in (0, 100, 1000, 10**6)] == pytest.approx(
        [1000, 1000 / 13, 1000 / 121, 5]
    )


def test_which_norms_scale_the_logits() -> None:
    """Features twice as long double the logits of A-Softmax and L-Softmax, weights only those of L-Softmax."""
    for name, of_x, of_w in (("a_softmax", 2, 1), ("l_softmax", 2, 2), ("arcface", 1, 1)):
        x, w = drawn(HEADS[name])
        z = compute_logits(HEADS[name], x, w, LABEL, step=0).z
        torch.testing.assert_close(compute_logits(HEADS[name], 2 * x, w, LABEL, step=0).z, of_x * z)
        torch.testing.assert_close(compute_logits(HEADS[name], x, 2 * w, LABEL, step=0).z, of_w * z)
