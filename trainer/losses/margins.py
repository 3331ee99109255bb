"""Margins: functions of the cosine between a photo and its own class, whose value a softmax uses as the target logit.

All take cosines of any shape and float type and are differentiable. The combined margin is one formula,
cos(m1 t + m2) - m3 for an angle t; ArcFace, CosFace = AM-Softmax, SphereFace and their mixtures are settings of it.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# the slope of arccos is infinite at 1 and -1; a cosine is clamped this far inside, 0.08 degrees from its class's centre
INSIDE = 1e-6


def arc_cosine(cosine: Tensor) -> Tensor:
    """The angle in radians, of cosines clamped to -1 + 1e-6..1 - 1e-6 so that the gradient is finite."""
    return torch.arccos(cosine.clamp(-1 + INSIDE, 1 - INSIDE))


def combined_margin(
    cosine: Tensor, m1: float = 1.0, m2: float = 0.0, m3: float = 0.0, *, shortcut: bool = False
) -> Tensor:
    """psi(m1 t + m2) - m3 for cosine = cos t: the margin of ArcFace (arXiv 1801.07698v3, section 2.3, equation 4).

    psi is the cosine up to pi. Beyond it the cosine would rise again and reward a photo for being further from its
    class, so psi goes on as in A-Softmax (arXiv 1704.08063, section 3.2): (-1)^k cos - 2k for an argument from k pi to
    (k+1) pi. It falls throughout and is smooth; ArcFace reaches that branch at t > pi - m2, SphereFace (m1 1.35) at
    133 degrees. Widely copied code goes on differently there: with cos t - m2 sin m2, which jumps, or not at all.

    The gradient is the formula's own: by the cosine it is m1 sin(m1 t + m2) / sin t. With `shortcut` the values are the
    same and the gradient is 1, as in code that computes the margin without gradient: at t = 90 degrees ArcFace's own
    slope is .88, at 30 degrees 1.7, at 5 degrees 6.4, so the shortcut pulls less at photos that are already near.
    Cosines above 1 - 1e-6 are clamped there, with no gradient.
    """
    if m1 == 1 and m2 == 0:
        return cosine - m3
    argument = m1 * arc_cosine(cosine) + m2
    turns = torch.floor(argument.detach() / math.pi)
    value = (1 - 2 * (turns % 2)) * torch.cos(argument) - 2 * turns - m3
    return cosine + (value - cosine).detach() if shortcut else value


def piecewise_margin(cosine: Tensor, m: int, *, softened: float = 0.0) -> Tensor:
    """(softened cos t + psi(t)) / (1 + softened), psi(t) = (-1)^k cos(m t) - 2k for t from k pi/m to (k+1) pi/m.

    The target of L-Softmax (arXiv 1612.02295, sections 3.2 and 3.3) and A-Softmax (arXiv 1704.08063, section 3.2) for a
    whole number m. cos(m t) is the polynomial of cos t to which both papers expand it, exact at cosines of 1 and -1
    too; combined_margin(m1=m) is the same function by arc cosine. softened: their lambda, large in the first updates
    and small in the last.
    """
    before, multiple = torch.ones_like(cosine), cosine
    for _ in range(m - 1):  # cos((i+1) t) = 2 cos t cos(i t) - cos((i-1) t)
        before, multiple = multiple, 2 * cosine * multiple - before
    turns = torch.floor(m * torch.arccos(cosine.detach().clamp(-1, 1)) / math.pi).clamp(max=m - 1)
    psi = (1 - 2 * (turns % 2)) * multiple - 2 * turns
    return (softened * cosine + psi) / (1 + softened)


def target_logits(degrees: NDArray[np.floating], margin: tuple[float, float, float]) -> NDArray[np.float64]:
    """The combined margin's value [n] at these angles [n], for (m1, m2, m3): the curves of ArcFace's Figure 4."""
    return np.asarray(combined_margin(torch.cos(torch.from_numpy(np.radians(degrees))), *margin).numpy(), np.float64)
