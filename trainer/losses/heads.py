"""Heads: how a softmax computes logits from features and class weights, and which margin its own class has.

Each head is a frozen value of its published settings; `compute_logits` applies it to one rank's classes.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trainer.distributed.ranks import rows_at
from trainer.losses.cross_entropy import Margin
from trainer.losses.l2_normalize import l2_normalize
from trainer.losses.margins import combined_margin, piecewise_margin


class Logits(NamedTuple):
    """What cross_entropy takes: logits z [n, k], the own class's margin, and the logit [n] of a cosine of 1.

    at_cosine_1 is None where logits are not cosines times a factor of the photo.
    """

    z: Tensor
    margin: Margin
    at_cosine_1: Tensor | None = None


@dataclass(frozen=True)
class Linear:
    """The softmax classifier W x + b (ArcFace, arXiv 1801.07698v3, section 2.1, equation 1); b is W's last column."""

    def logits(self, x: Tensor, w: Tensor) -> Logits:
        """Of features [n, d] and weights [k, d + 1]."""
        return Logits(torch.addmm(w[:, -1], x, w[:, :-1].T), lambda own: own)


@dataclass(frozen=True)
class CombinedMargin:
    """scale (cos(m1 t + m2) - m3) for the own class, scale cos t for others (ArcFace v3, section 2.3, equation 4).

    Without margins the normalised softmax (equation 2). With `centres` K, t is the angle to the nearest of a class's K
    centres (sub-centre ArcFace, ECCV 2020, section 3.2). shortcut: as in margins.combined_margin.
    """

    scale: float = 64.0
    m1: float = 1.0
    m2: float = 0.0
    m3: float = 0.0
    centres: int = 1
    shortcut: bool = False

    def logits(self, x: Tensor, w: Tensor) -> Logits:
        """Of features [n, d] and weights [k, d] or [k, centres, d]."""
        # the features are scaled: scaling the matrix of cosines would hold it twice
        x, w = l2_normalize(x) * self.scale, l2_normalize(w)
        z = x @ w.T if w.ndim == 2 else (x @ w.flatten(0, 1).T).view(len(x), *w.shape[:2]).max(2).values
        return Logits(z, self._margin, x.new_full((len(x),), self.scale))

    def _margin(self, own: Tensor) -> Tensor:
        return self.scale * combined_margin(own / self.scale, self.m1, self.m2, self.m3, shortcut=self.shortcut)


@dataclass(frozen=True)
class PiecewiseMargin:
    """A-Softmax and L-Softmax as published: |x| psi(t) for the own class, |x| cos t for others; no scale.

    Features keep their norms, and gradients reach them. A-Softmax (arXiv 1704.08063, section 3.2) has class weights of
    norm 1; in L-Softmax (arXiv 1612.02295, section 3.2) they keep theirs (`keep_weights`), so a logit is |w| |x| times
    psi or cosine. lambda = max(least, base (1 + gamma step)^-power) as in both papers' Caffe layers.
    """

    m: int = 4
    keep_weights: bool = False
    base: float = 1000.0
    gamma: float = 0.12
    power: float = 1.0
    least: float = 5.0

    def softened(self, step: int) -> float:
        """lambda at a step: the weight of the cosine without margin beside psi."""
        return max(self.least, self.base * math.pow(1 + self.gamma * step, -self.power))

    def logits(self, x: Tensor, w: Tensor, column: Tensor, step: int) -> Logits:
        """Of features [n, d] and weights [k, d]; column [n]: each photo's own class; step: the update's number."""
        norm = x.norm(dim=1)
        factor = norm * rows_at(w.norm(dim=1), column) if self.keep_weights else norm
        factor = factor.clamp(min=1e-12)
        softened = self.softened(step)
        z = x @ (w if self.keep_weights else l2_normalize(w)).T
        return Logits(
            z,
            lambda own: factor * piecewise_margin(own / factor, self.m, softened=softened),
            None if self.keep_weights else norm.detach(),
        )


Head = Linear | CombinedMargin | PiecewiseMargin


def weight_shape(head: Head, dim: int) -> tuple[int, ...]:
    """The shape of one class's weights for features of length dim."""
    if isinstance(head, Linear):
        return (dim + 1,)
    return (head.centres, dim) if isinstance(head, CombinedMargin) and head.centres > 1 else (dim,)


def compute_logits(head: Head, x: Tensor, w: Tensor, column: Tensor, *, step: int) -> Logits:
    """Logits of features x [n, d] with a rank's class weights w [k, *weight_shape].

    column [n]: which of them is each photo's own class, -1 on another rank. step: the update's number, for margins that
    change in the course of a training.
    """
    return head.logits(x, w, column, step) if isinstance(head, PiecewiseMargin) else head.logits(x, w)


# scales and margins of the ArcFace paper (v3, section 3.2 and Table 2); AM-Softmax (arXiv 1801.05599): s 30;
# A-Softmax: m, and lambda's course as its authors trained CASIA; L-Softmax: m of its best LFW figure (section 5.3) and,
# as its own lambda falls too slowly for a short run to feel the margin, the course of A-Softmax down to 0
HEADS: dict[str, Head] = {
    "softmax": Linear(),
    "norm_softmax": CombinedMargin(),
    "norm_softmax_20": CombinedMargin(scale=20.0),
    "arcface": CombinedMargin(m2=0.5),
    "cosface": CombinedMargin(m3=0.35),
    "amsoftmax": CombinedMargin(scale=30.0, m3=0.35),
    "sphereface": CombinedMargin(m1=1.35),
    "cm1": CombinedMargin(m2=0.3, m3=0.2),
    "cm2": CombinedMargin(m1=0.9, m2=0.4, m3=0.15),
    "a_softmax": PiecewiseMargin(),
    "l_softmax": PiecewiseMargin(keep_weights=True, least=0.0),
    "subcenter": CombinedMargin(m2=0.5, centres=3),
}
