"""Further terms of a loss: each value against a slow reference, each gradient against finite differences."""

import math

import pytest
import torch

from trainer.losses.terms import Centre, Centres, Focal, HardExamples, Inter, Intra

COLUMN = torch.tensor([2, 0, 2, 1])
GENERATOR = torch.Generator().manual_seed(3)
X = torch.randn(4, 3, generator=GENERATOR, dtype=torch.float64)
W = torch.randn(5, 3, generator=GENERATOR, dtype=torch.float64)
LOSSES = torch.tensor([0.0, 0.1, 3.0, 1.0, 2.0], dtype=torch.float64)


def unit(v: torch.Tensor) -> list[float]:
    norm = math.hypot(*v.tolist())
    return [c / norm for c in v.tolist()]


def dot(a: list[float], b: list[float]) -> float:
    return sum(p * q for p, q in zip(a, b, strict=True))


def test_focal_by_hand() -> None:
    expected = [(1 - math.exp(-e)) ** 2 * e for e in LOSSES.tolist()]
    assert Focal()(LOSSES).tolist() == pytest.approx(expected)
    assert Focal(gamma=0)(LOSSES).tolist() == LOSSES.tolist()
    assert torch.autograd.gradcheck(Focal(), ((LOSSES + 0.2).requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 0.99, 1.0, 2.0])
def test_focal_has_a_finite_gradient_where_a_photo_is_certain(gamma: float, dtype: torch.dtype) -> None:
    """At p = 1 it is 0, the limit of (1 - p)^gamma + gamma (1 - p)^(gamma - 1) p cross-entropy."""
    losses = torch.tensor([0.0, -1e-8, 1e-40, 1e-30, 1e-7], dtype=dtype, requires_grad=True)
    Focal(gamma=gamma)(losses).sum().backward()
    assert losses.grad is not None
    assert losses.grad.isfinite().all()
    if gamma >= 0.5:
        assert losses.grad[0].item() == pytest.approx(0, abs=1e-15)
    assert losses.grad[-1].item() == pytest.approx((1 + gamma) * 1e-7**gamma, rel=1e-3)


def test_only_the_largest_losses_count() -> None:
    assert HardExamples(0.4)(LOSSES).tolist() == [3, 2]
    assert HardExamples(0.5)(LOSSES).tolist() == [3, 2, 1]  # half of five, rounded up
    assert HardExamples(0.01)(LOSSES).tolist() == [3]
    assert HardExamples(1.0)(LOSSES).sum() == LOSSES.sum()


def test_intra_is_the_mean_angle_to_the_own_class() -> None:
    angles = [math.acos(dot(unit(x), unit(W[y]))) for x, y in zip(X, COLUMN.tolist(), strict=True)]
    term = Intra(weight=0.7)(X, W, COLUMN)
    assert term.item() == pytest.approx(0.7 * sum(angles) / 4 / math.pi)
    assert torch.autograd.gradcheck(
        lambda x, w: Intra()(x, w, COLUMN), (X.clone().requires_grad_(), W.requires_grad_())
    )


def test_a_photo_whose_class_is_on_another_rank_is_left_out_of_this_ranks_share() -> None:
    column = torch.tensor([2, -1, -1, 1])
    angles = [math.acos(dot(unit(X[i]), unit(W[y]))) for i, y in ((0, 2), (3, 1))]
    assert Intra()(X, W, column).item() == pytest.approx(sum(angles) / 4 / math.pi)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_inter_is_the_mean_energy_of_photos_classes_and_all_others(power: float) -> None:
    total = 0.0
    for y in COLUMN.tolist():
        for j in range(5):
            if j != y:
                distance = math.dist(unit(W[y]), unit(W[j]))
                total += distance**-power if power else math.log(1 / distance)
    term = Inter(weight=0.5, power=power)
    assert term(W, COLUMN).item() == pytest.approx(0.5 * total / (4 * 4))
    assert torch.autograd.gradcheck(lambda w: term(w, COLUMN), (W.clone().requires_grad_(),))


def test_inter_in_angles_is_minus_the_mean_angle() -> None:
    angles = [math.acos(dot(unit(W[y]), unit(W[j]))) for y in COLUMN.tolist() for j in range(5) if j != y]
    term = Inter(angle=True)
    assert term(W, COLUMN).item() == pytest.approx(-sum(angles) / 16 / math.pi)
    assert torch.autograd.gradcheck(lambda w: term(w, COLUMN), (W.clone().requires_grad_(),))


def test_two_equal_classes_have_a_finite_energy() -> None:
    w = torch.ones(2, 3, requires_grad=True)
    energy = Inter()(w, torch.tensor([0]))
    energy.backward()
    assert torch.isfinite(energy)
    assert w.grad is not None
    assert torch.isfinite(w.grad).all()


def test_centres_by_hand() -> None:
    """Two photos of class 0 and one of class 2: loss, gradient x - c, and the paper's move of the centres."""
    centres = Centres(Centre(weight=0.5, rate=0.5), 3, 2)
    centres.rows.copy_(torch.tensor([[1.0, 0], [5, 5], [0, 0]]))
    x = torch.tensor([[2.0, 0], [1, 3], [0, 4]], requires_grad=True)
    loss = centres(x, torch.tensor([0, 0, 2]))
    assert loss.item() == pytest.approx(0.5 / 2 * (1 + 9 + 16) / 3)
    loss.backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, 0.5 / 3 * torch.tensor([[1.0, 0], [0, 3], [0, 4]]))
    centres.end_update()
    # class 0 moves by -.5 (-1, -3) / 3; class 1 has no photo in the batch; class 2 moves by -.5 (0, -4) / 2
    torch.testing.assert_close(centres.rows, torch.tensor([[1 + 0.5 / 3, 0.5], [5, 5], [0, 1.0]]))
    centres.end_update()
    torch.testing.assert_close(centres.rows[2], torch.tensor([0, 1.0]))


def test_centres_move_once_for_all_micro_batches_of_an_update() -> None:
    whole, parts = (Centres(Centre(), 4, 3) for _ in range(2))
    label = torch.tensor([0, 3, 3, 1])
    whole(X, label)
    parts(X[:2], label[:2])
    parts(X[2:], label[2:])
    whole.end_update()
    parts.end_update()
    assert whole.rows.abs().sum() > 0
    torch.testing.assert_close(parts.rows, whole.rows)


def test_the_gradient_of_the_centre_loss() -> None:
    centres = Centres(Centre(), 5, 3).double().eval()
    centres.rows.copy_(W.detach())
    assert torch.autograd.gradcheck(lambda x: centres(x, COLUMN), (X.clone().requires_grad_(),))
