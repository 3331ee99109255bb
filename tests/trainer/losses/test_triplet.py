"""Triplet losses against a slow reference, which loops over pairs and negatives."""

import math
from dataclasses import replace

import pytest
import torch

from trainer.losses.triplet import TRIPLETS, Triplet, semi_hard_negatives

LABEL = torch.tensor([0, 0, 1, 1, 1, 2, 0, 3])
X = torch.randn(8, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def slow(triplet: Triplet, x: torch.Tensor, label: list[int]) -> float:
    unit = [[c / math.hypot(*row) for c in row] for row in x.tolist()]

    def distance(i: int, j: int) -> float:
        cosine = sum(p * q for p, q in zip(unit[i], unit[j], strict=True))
        return math.acos(cosine) if triplet.angle else math.dist(unit[i], unit[j]) ** 2

    losses = []
    for a, ya in enumerate(label):
        to_negatives = [distance(a, n) for n, yn in enumerate(label) if yn != ya]
        for p, yp in enumerate(label):
            if p != a and yp == ya:
                further = [d for d in to_negatives if d > distance(a, p)]
                to_negative = min(further) if further else max(to_negatives)
                losses.append(max(0.0, distance(a, p) - to_negative + triplet.margin))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("name", TRIPLETS)
def test_the_mean_over_pairs_with_their_semi_hard_negatives(name: str) -> None:
    triplet = replace(TRIPLETS[name], margin=1.0)  # large enough that most of these few pairs violate it
    assert triplet(X, LABEL).item() == pytest.approx(slow(triplet, X, LABEL.tolist()))
    assert slow(triplet, X, LABEL.tolist()) > 0.01
    assert torch.autograd.gradcheck(lambda x: triplet(x, LABEL), (X.clone().requires_grad_(),))


def test_a_semi_hard_negative_is_the_nearest_further_one_or_else_the_furthest() -> None:
    distance = torch.tensor([[0.0, 0.3, 0.9, 0.2, 0.5, 0.4]])
    same = torch.tensor([[True, True, True, False, False, False]])
    negative = semi_hard_negatives(distance, same)
    assert negative[0, 1] == 5  # further than .3: .5 and .4
    assert negative[0, 2] == 4  # none is further than .9
    tied = semi_hard_negatives(torch.tensor([[0.0, 0.3, 0.9, 0.3, 0.5, 0.4]]), same)
    assert tied[0, 1] == 5  # a negative at the same distance is not further


@pytest.mark.parametrize("label", [[0, 1, 2, 3, 4, 5, 6, 7], [0] * 8])
def test_a_batch_without_pairs_or_without_negatives_has_no_loss(label: list[int]) -> None:
    x = X.clone().requires_grad_()
    loss = Triplet()(x, torch.tensor(label))
    loss.backward()
    assert loss.item() == 0
    assert x.grad is not None
    assert x.grad.abs().sum() == 0


def test_the_same_photo_twice_has_finite_gradients() -> None:
    x = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]], requires_grad=True)
    for triplet in (Triplet(margin=3.0), Triplet(margin=3.0, angle=False)):
        triplet(x, torch.tensor([0, 0, 1, 1])).backward()
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()
