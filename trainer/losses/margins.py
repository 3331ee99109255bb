"""Margins: functions of the cosine between a photo and its own class; a softmax uses their value as the target logit.

All functions take cosines of any shape and float type and are differentiable; the slope is finite for every cosine
from -1 to 1. Half precision is computed in float32 inside, because 1 - 1e-6 is 1 in it. The combined margin is
cos(m1 t + m2) - m3 for an angle t; ArcFace, CosFace (the same as AM-Softmax), SphereFace and combinations of them are
settings of it.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# the slope of arccos is infinite at 1 and -1, so cosines are clamped to this distance from them (0.08 degrees)
CLAMP_DISTANCE = 1e-6


def arc_cosine(cosine: Tensor) -> Tensor:
    """The angle in radians of a cosine, which is clamped to -1 + 1e-6..1 - 1e-6 so that the gradient is finite."""
    angle = torch.arccos(_at_least_float32(cosine).clamp(-1 + CLAMP_DISTANCE, 1 - CLAMP_DISTANCE))
    return angle.to(cosine.dtype)


def combined_margin(
    cosine: Tensor, m1: float = 1.0, m2: float = 0.0, m3: float = 0.0, *, shortcut: bool = False
) -> Tensor:
    """psi(m1 t + m2) - m3 for cosine = cos t: the margin of ArcFace (arXiv 1801.07698v3, section 2.3, equation 4).

    psi is the cosine up to pi. Beyond pi the cosine would rise again and reward a photo for being further from its
    class. So psi continues there as in A-Softmax (arXiv 1704.08063, section 3.2): (-1)^k cos - 2k for an argument from
    k pi to (k+1) pi. It falls everywhere and is smooth. ArcFace exceeds pi at t > pi - m2, SphereFace (m1 1.35) at 133
    degrees. Other published code differs there: it uses cos t - m2 sin m2, which jumps, or the rising cosine.

    The gradient is that of the formula: by the cosine it is m1 sin(m1 t + m2) / sin t. With `shortcut` the values are
    the same and the gradient by the cosine is 1, as in published code that computes the margin without gradient.
    ArcFace's slope is .88 at t = 90 degrees, 1.7 at 30 and 6.4 at 5, so with the shortcut photos near their class have
    a smaller gradient. Cosines above 1 - 1e-6 are clamped and have no gradient.
    """
    if m1 == 1 and m2 == 0:
        return cosine - m3
    value = (_psi(m1 * arc_cosine(_at_least_float32(cosine)) + m2) - m3).to(cosine.dtype)
    return cosine + (value - cosine).detach() if shortcut else value


def own_margin(cosine: Tensor, m2: Tensor) -> Tensor:
    """psi(t + m2) for cosine = cos t, as combined_margin, with an angle m2 for each cosine; gradients reach both.

    m2 may be below 0. Then a sum t + m2 below 0 counts as 0 and has no gradient: the cosine would fall again there, and
    punish a photo for being nearer to its class.
    """
    return _psi((arc_cosine(_at_least_float32(cosine)) + m2).clamp(min=0)).to(cosine.dtype)


def _psi(argument: Tensor) -> Tensor:
    """The cosine up to pi, and beyond it a continuation that keeps falling."""
    turns = torch.floor(argument.detach() / math.pi)
    return (1 - 2 * (turns % 2)) * torch.cos(argument) - 2 * turns


def piecewise_margin(cosine: Tensor, m: int, *, cosine_weight: float = 0.0) -> Tensor:
    """The mean of psi(t) and cosine_weight times cos t; psi(t) = (-1)^k cos(m t) - 2k for t from k pi/m to (k+1) pi/m.

    It is (cosine_weight cos t + psi(t)) / (1 + cosine_weight), the target logit of L-Softmax (arXiv 1612.02295,
    sections 3.2 and 3.3) and A-Softmax (arXiv 1704.08063, section 3.2) for a whole number m. As in both papers cos(m t)
    is computed as a polynomial of cos t, which is exact also at cosines of 1 and -1; combined_margin(m1=m) computes the
    same function by the arc cosine. cosine_weight: the papers' lambda, large in the first updates and small in the
    last.
    """
    dtype, cosine = cosine.dtype, _at_least_float32(cosine)
    previous, multiple = torch.ones_like(cosine), cosine
    for _ in range(m - 1):  # cos((i+1) t) = 2 cos t cos(i t) - cos((i-1) t)
        previous, multiple = multiple, 2 * cosine * multiple - previous
    turns = torch.floor(m * torch.arccos(cosine.detach().clamp(-1, 1)) / math.pi).clamp(max=m - 1)
    psi = (1 - 2 * (turns % 2)) * multiple - 2 * turns
    return ((cosine_weight * cosine + psi) / (1 + cosine_weight)).to(dtype)


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def target_logits(degrees: NDArray[np.floating], margin: tuple[float, float, float]) -> NDArray[np.float64]:
    """The combined margin's value [n] at angles [n] in degrees, for m1, m2, m3: the curves of ArcFace's Figure 4."""
    return np.asarray(combined_margin(torch.cos(torch.from_numpy(np.radians(degrees))), *margin).numpy(), np.float64)
