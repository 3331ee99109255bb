"""Objectives: training lowers every loss; value and gradient of one equal those of torch's cross-entropy."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.errors import UserError
from tests.builders.drawn_features import CLASSES, DIM, PIXELS, batch
from trainer.losses.margins import combined_margin
from trainer.losses.objective import LOSSES, Objective, make_objective


def train(ob: Objective, steps: int) -> list[float]:
    """The losses of a linear network trained with this objective."""
    torch.manual_seed(1)
    net = nn.Linear(PIXELS, DIM)
    optimizer = torch.optim.AdamW([*net.parameters(), *ob.parameters()], lr=0.02)
    losses = []
    for step in range(steps):
        x, label = batch(step, 64)
        ob.begin_update(label, step, optimizer)
        loss = ob(net(x.float()), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ob.end_update(optimizer)
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", [*LOSSES, "arcface:shortcut=1", "triplet+centre", "sphereface:scale=16+focal+centre"])
def test_every_loss_is_lowered(name: str) -> None:
    losses = train(make_objective(name, classes=CLASSES, dim=DIM), 60)
    start, end = sum(losses[:3]) / 3, sum(losses[-5:]) / 5
    assert end < start - 0.2 * abs(start)
    assert all(math.isfinite(v) for v in losses)


def test_a_sampled_classifier_learns_too() -> None:
    losses = train(make_objective("arcface:scale=16,m2=0.3", classes=CLASSES, dim=DIM, sample_rate=0.5), 80)
    assert sum(losses[-5:]) < 0.3 * sum(losses[:5])


def test_an_objective_equals_torchs_cross_entropy_of_logits_with_the_margin() -> None:
    ob = make_objective("cm2", classes=CLASSES, dim=DIM, seed=2).double()
    x, label = torch.randn(16, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64), batch(0)[1]
    assert ob.fc is not None
    w = ob.fc.all_rows().clone().requires_grad_()
    x = x.requires_grad_()
    cosine = nn.functional.normalize(x) @ nn.functional.normalize(w).T
    targets = combined_margin(cosine.gather(1, label[:, None]), 0.9, 0.4, 0.15)
    plain = nn.functional.cross_entropy(64 * cosine.scatter(1, label[:, None], targets), label)
    expected = torch.autograd.grad(plain, (x, w))
    loss = ob(x, label)
    actual = torch.autograd.grad(loss, (x, *ob.parameters()))
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(actual, expected)


def test_half_precision_features_are_compared_in_float32() -> None:
    ob = make_objective("arcface", classes=CLASSES, dim=DIM)
    x, label = batch(0)[0][:, :DIM], batch(0)[1]
    with torch.autocast("cpu", torch.bfloat16):
        inside = ob(x.bfloat16(), label)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, ob(x.bfloat16().float(), label), rtol=1e-6, atol=0)


def test_the_shape_of_the_class_weights_in_a_checkpoint() -> None:
    def shape(loss: str, **settings: Any) -> tuple[int, ...] | None:
        ob = make_objective(loss, classes=CLASSES, dim=DIM, **settings)
        state = ob.whole_state(torch.optim.SGD([*ob.parameters(), torch.zeros(1)], lr=0.1))
        return tuple(state["weight"].shape) if "weight" in state else None

    assert shape("softmax") == (CLASSES, DIM + 1), "the last column is the bias"
    assert shape("arcface", sample_rate=0.3) == (CLASSES, DIM)
    assert shape("subcenter") == (CLASSES, 3, DIM)
    assert shape("subcenter:centres=2") == (CLASSES, 2, DIM)
    assert shape("triplet") is None


@pytest.mark.parametrize("name", ["softmax", "l_softmax", "triplet", "curricularface"])
def test_a_loss_that_does_not_compare_by_cosines_alone_cannot_filter_by_them(name: str) -> None:
    with pytest.raises(UserError, match="does not compare by cosines alone"):
        make_objective(name, classes=CLASSES, dim=DIM, filter_cosine=0.4)
