"""Heads: how a softmax gets its logits from features and class weights, and which margin stands at the own class.

Each is a frozen value of its published settings; `logits` computes what it asks for on one rank's classes.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trainer.distributed.ranks import own_rows
from trainer.losses.cross_entropy import Margin
from trainer.losses.l2_normalize import unit
from trainer.losses.margins import combined, piecewise


class Logits(NamedTuple):
    """What cross_entropy takes: logits [n, k], the own class's margin, and the logit [n] that a cosine of 1 has."""

    z: Tensor
    margin: Margin
    reach: Tensor | None = None


@dataclass(frozen=True)
class Plain:
    """The softmax classifier W x + b (ArcFace, arXiv 1801.07698v3, section 2.1, equation 1); b is W's last column."""

    def on(self, x: Tensor, w: Tensor) -> Logits:
        """Of features [n, d] and weights [k, d + 1]."""
        return Logits(torch.addmm(w[:, -1], x, w[:, :-1].T), lambda own: own)


@dataclass(frozen=True)
class Combined:
    """scale (cos(m1 t + m2) - m3) at the own class, scale cos t elsewhere (ArcFace v3, section 2.3, equation 4).

    Without margins the normalised softmax (equation 2). With `centres` K a class is as near as the nearest of its K
    centres (sub-centre ArcFace, ECCV 2020, section 3.2). `shortcut` as in margins.combined.
    """

    scale: float = 64.0
    m1: float = 1.0
    m2: float = 0.0
    m3: float = 0.0
    centres: int = 1
    shortcut: bool = False

    def on(self, x: Tensor, w: Tensor) -> Logits:
        """Of features [n, d] and weights [k, d] or [k, centres, d]."""
        # the scale is put on the features: scaling the matrix of cosines would hold it twice
        x, w = unit(x) * self.scale, unit(w)
        z = x @ w.T if w.ndim == 2 else (x @ w.flatten(0, 1).T).view(len(x), *w.shape[:2]).max(2).values
        return Logits(z, self._margin, x.new_full((len(x),), self.scale))

    def _margin(self, own: Tensor) -> Tensor:
        return self.scale * combined(own / self.scale, self.m1, self.m2, self.m3, shortcut=self.shortcut)


@dataclass(frozen=True)
class Piecewise:
    """A-Softmax and L-Softmax as published: |x| psi(t) at the own class, |x| cos t elsewhere; no scale.

    Features keep their norms: they are not divided out, and gradients reach them. A-Softmax (arXiv 1704.08063, section
    3.2) has class weights of norm 1; L-Softmax (arXiv 1612.02295, section 3.2) keeps theirs (`keep_weights`), so a
    logit is |w| |x| times as much. lambda = max(least, base (1 + gamma step)^-power) as in both papers' Caffe layers.
    """

    m: int = 4
    keep_weights: bool = False
    base: float = 1000.0
    gamma: float = 0.12
    power: float = 1.0
    least: float = 5.0

    def softened(self, step: int) -> float:
        """lambda at a step: the weight of the plain cosine beside psi."""
        return max(self.least, self.base * math.pow(1 + self.gamma * step, -self.power))

    def on(self, x: Tensor, w: Tensor, place: Tensor, step: int) -> Logits:
        """Of features [n, d] and weights [k, d], photos' classes being at place [n] among them, at an update."""
        norm = x.norm(dim=1)
        at_own = norm * own_rows(w.norm(dim=1), place) if self.keep_weights else norm
        at_own = at_own.clamp(min=1e-12)
        softened = self.softened(step)
        z = x @ (w if self.keep_weights else unit(w)).T
        return Logits(
            z,
            lambda own: at_own * piecewise(own / at_own, self.m, softened=softened),
            None if self.keep_weights else norm.detach(),
        )


Head = Plain | Combined | Piecewise


def row(head: Head, dim: int) -> tuple[int, ...]:
    """The shape of one class's weights for features of length dim."""
    if isinstance(head, Plain):
        return (dim + 1,)
    return (head.centres, dim) if isinstance(head, Combined) and head.centres > 1 else (dim,)


def logits(head: Head, x: Tensor, w: Tensor, place: Tensor, *, step: int) -> Logits:
    """Logits of features x [n, d] with a rank's class weights w [k, *row].

    place [n]: where each photo's class is among them, -1 on another rank. step: which update, for annealed margins.
    """
    return head.on(x, w, place, step) if isinstance(head, Piecewise) else head.on(x, w)


# scales and margins of the ArcFace paper (v3, section 3.2 and Table 2); AM-Softmax (arXiv 1801.05599): s 30;
# A-Softmax: m and lambda's course as its authors trained CASIA; L-Softmax: m of its best LFW figure (section 5.3) and,
# as its own lambda falls too slowly for a short run to feel the margin, the course of A-Softmax down to 0
HEADS: dict[str, Head] = {
    "softmax": Plain(),
    "norm_softmax": Combined(),
    "norm_softmax_20": Combined(scale=20.0),
    "arcface": Combined(m2=0.5),
    "cosface": Combined(m3=0.35),
    "amsoftmax": Combined(scale=30.0, m3=0.35),
    "sphereface": Combined(m1=1.35),
    "cm1": Combined(m2=0.3, m3=0.2),
    "cm2": Combined(m1=0.9, m2=0.4, m3=0.15),
    "a_softmax": Piecewise(),
    "l_softmax": Piecewise(keep_weights=True, least=0.0),
    "subcenter": Combined(m2=0.5, centres=3),
}
