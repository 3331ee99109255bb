"""Margins: values and slopes by hand, slopes by finite differences too; a margin never rises with the angle."""

import math

import numpy as np
import pytest
import torch

from trainer.losses.margins import combined_margin, piecewise_margin, target_logits

# m1, m2, m3
SETTINGS = {
    "norm_softmax": (1.0, 0.0, 0.0),
    "arcface": (1.0, 0.5, 0.0),
    "cosface": (1.0, 0.0, 0.35),
    "sphereface": (1.35, 0.0, 0.0),
    "cm1": (1.0, 0.3, 0.2),
    "cm2": (0.9, 0.4, 0.15),
}
every = pytest.mark.parametrize("m", SETTINGS.values(), ids=SETTINGS.keys())


def degrees(*angles: float) -> torch.Tensor:
    return torch.tensor([math.cos(math.radians(a)) for a in angles], dtype=torch.float64)


def slow_psi(x: float) -> float:
    """The cosine up to pi; each further half wave is mirrored so that it falls, and shifted below the previous one."""
    level = 0.0
    while x > math.pi:
        x, level = x - math.pi, level - 2
    return math.cos(x) + level


@every
@pytest.mark.parametrize("angle", [1.0, 30, 60, 90, 120, 150, 179])
def test_combined_is_the_formula_for_every_setting(m: tuple[float, ...], angle: float) -> None:
    expected = slow_psi(m[0] * math.radians(angle) + m[1]) - m[2]
    assert combined_margin(degrees(angle), *m).item() == pytest.approx(expected, abs=1e-9)


HALF = (torch.float16, torch.bfloat16)


@pytest.mark.parametrize("dtype", [*HALF, torch.float32, torch.float64])
@every
def test_every_float_type_has_a_finite_value_and_slope_at_every_cosine(
    m: tuple[float, ...], dtype: torch.dtype
) -> None:
    cosine = torch.tensor([1.0, -1.0, 1 - 1e-3, 0.5, 0.0, -0.7], dtype=dtype, requires_grad=True)
    margins = (combined_margin(cosine, *m), combined_margin(cosine, *m, shortcut=True), piecewise_margin(cosine, 4))
    for value in margins:
        assert value.dtype == dtype
        (slope,) = torch.autograd.grad(value.sum(), cosine)
        assert value.isfinite().all()
        assert slope.isfinite().all()
    expected = combined_margin(cosine.detach().double(), *m)
    torch.testing.assert_close(margins[0].double(), expected, atol=2 * torch.finfo(dtype).eps, rtol=1e-2)


def test_values_by_hand() -> None:
    assert combined_margin(degrees(60), 1.0, 0.0, 0.35).item() == pytest.approx(0.15)
    assert combined_margin(degrees(60), 1.0, math.pi / 6).item() == pytest.approx(0)  # cos 90
    assert combined_margin(degrees(60), 1.5, 0.0, 0.1).item() == pytest.approx(-0.1)  # cos 90 - .1
    assert combined_margin(degrees(150), 1.0, math.pi / 2).item() == pytest.approx(-1.5)  # -cos 240 - 2


@every
def test_a_margin_falls_with_the_angle_without_jumps(m: tuple[float, ...]) -> None:
    angles = torch.linspace(0.1, 179.9, 4001, dtype=torch.float64)
    value = combined_margin(torch.cos(torch.deg2rad(angles)), *m)
    fall = value[:-1] - value[1:]
    assert (fall >= -1e-12).all()
    # the steepest that cos(m1 t) can fall over a step of t
    assert fall.max() <= 1.001 * m[0] * math.radians(float(angles[1] - angles[0]))
    assert (value <= torch.cos(torch.deg2rad(angles)) + 1e-9).all()


@every
def test_gradients_are_those_of_the_formula(m: tuple[float, ...]) -> None:
    cosine = degrees(3, 25, 50, 88, 121, 140, 160, 176).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: combined_margin(c, *m), (cosine,))
    (slope,) = torch.autograd.grad(combined_margin(cosine, *m).sum(), cosine)
    angle = torch.arccos(cosine.detach())
    torch.testing.assert_close(slope, (m[0] * torch.sin(m[0] * angle + m[1]) / torch.sin(angle)).abs())


def test_the_shortcut_has_the_same_values_and_slope_one() -> None:
    """The slopes that combined_margin's docstring names are those of the formula."""
    cosine = degrees(5, 30, 90).requires_grad_()
    short, true = combined_margin(cosine, 1.0, 0.5, shortcut=True), combined_margin(cosine, 1.0, 0.5)
    torch.testing.assert_close(short, true)
    assert torch.autograd.grad(short.sum(), cosine)[0].tolist() == [1, 1, 1]
    assert torch.autograd.grad(true.sum(), cosine)[0].tolist() == pytest.approx([6.4, 1.7, 0.88], rel=0.01)


@pytest.mark.parametrize("cosine", [1.0, 1.0000001, -1.0])
def test_gradients_are_finite_where_those_of_arccos_are_not(cosine: float) -> None:
    x = torch.tensor([cosine], requires_grad=True)
    value = combined_margin(x, 1.0, 0.5)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_piecewise_is_the_published_psi(m: int) -> None:
    angles = [0.0, 10, 44, 46, 59, 61, 89, 91, 119, 134, 136, 170, 180]
    expected = [slow_psi(m * math.radians(a)) for a in angles]
    assert piecewise_margin(degrees(*angles), m).tolist() == pytest.approx(expected, abs=1e-6)
    inner = degrees(*angles[1:-1])
    torch.testing.assert_close(piecewise_margin(inner, m), combined_margin(inner, float(m)))
    mixed = (7 * degrees(*angles) + torch.tensor(expected)) / 8
    torch.testing.assert_close(piecewise_margin(degrees(*angles), m, cosine_weight=7.0), mixed, atol=1e-6, rtol=0)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_the_gradient_of_piecewise(m: int) -> None:
    cosine = degrees(5, 30, 50, 80, 100, 130, 170).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: piecewise_margin(c, m, cosine_weight=0.5), (cosine,))


def test_target_logits_are_the_margins_of_the_papers() -> None:
    degrees = np.array([0.0, 30, 60, 90])
    t = np.radians(degrees)
    assert target_logits(degrees, (1, 0, 0)) == pytest.approx(np.cos(t))
    assert target_logits(degrees, (1, 0.5, 0))[1:] == pytest.approx(np.cos(t + 0.5)[1:], abs=1e-6)
    assert target_logits(degrees, (0.9, 0.4, 0.15))[1:] == pytest.approx(np.cos(0.9 * t + 0.4)[1:] - 0.15, abs=1e-6)
