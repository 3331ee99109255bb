"""Heads: each computes a softmax's logits from features and class weights, and gives the margin of the own class.

A photo's own class is the one of its label. A head is a frozen value with its published settings; `compute_logits`
applies it to the classes of one rank.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.distributed.ranks import rows_at
from trainer.losses.adaface import AdaFace
from trainer.losses.cross_entropy import Logits
from trainer.losses.curricularface import CurricularFace
from trainer.losses.l2_normalize import l2_normalize
from trainer.losses.margins import combined_margin, own_margin, piecewise_margin


@dataclass(frozen=True)
class Linear:
    """The softmax classifier W x + b (ArcFace, arXiv 1801.07698v3, section 2.1, equation 1); b is W's last column."""

    def logits(self, x: Tensor, w: Tensor) -> Logits:
        """The logits of features x [n, d] with weights w [k, d + 1]."""
        return Logits(torch.addmm(w[:, -1], x, w[:, :-1].T), lambda own: own)


@dataclass(frozen=True)
class CombinedMargin:
    """scale (cos(m1 t + m2) - m3) for the own class, scale cos t for others (ArcFace v3, section 2.3, equation 4).

    t: the angle between the photo and the class's weights. With the default m1, m2 and m3 this is the normalised
    softmax (equation 2). With `centres` K, t is the angle to the nearest of a class's K centres (sub-centre ArcFace,
    ECCV 2020, section 3.2). shortcut: as in margins.combined_margin.
    """

    scale: float = 64.0
    m1: float = 1.0
    m2: float = 0.0
    m3: float = 0.0
    centres: int = 1
    shortcut: bool = False

    def logits(self, x: Tensor, w: Tensor) -> Logits:
        """The logits of features x [n, d] with weights w [k, d] or [k, centres, d]."""
        # the scale is applied to the features: applied to the matrix of cosines it would need a second matrix
        x, w = l2_normalize(x) * self.scale, l2_normalize(w)
        z = x @ w.T if w.ndim == 2 else (x @ w.flatten(0, 1).T).view(len(x), *w.shape[:2]).max(2).values
        return Logits(z, self._margin, x.new_full((len(x),), self.scale))

    def _margin(self, own: Tensor) -> Tensor:
        return self.scale * combined_margin(own / self.scale, self.m1, self.m2, self.m3, shortcut=self.shortcut)


@dataclass(frozen=True)
class PiecewiseMargin:
    """A-Softmax and L-Softmax as published: |x| psi(t) for the own class, |x| cos t for others, without a scale.

    psi is margins.piecewise_margin. The features' norms are kept, and gradients reach them. A-Softmax (arXiv
    1704.08063, section 3.2) has class weights of norm 1. In L-Softmax (arXiv 1612.02295, section 3.2) the class weights
    keep their norms too (`keep_weights`), so a logit is |w| |x| times psi or cosine. The own class's logit is a mean of
    psi and the cosine without margin, which has the weight lambda = max(least, base (1 + gamma step)^-power), as in
    both papers' Caffe layers.
    """

    m: int = 4
    keep_weights: bool = False
    base: float = 1000.0
    gamma: float = 0.12
    power: float = 1.0
    least: float = 5.0

    def cosine_weight(self, step: int) -> float:
        """The papers' lambda at an update: the weight of the cosine without margin, where psi has weight 1."""
        return max(self.least, self.base * math.pow(1 + self.gamma * step, -self.power))

    def logits(self, x: Tensor, w: Tensor, column: Tensor, step: int) -> Logits:
        """The logits of features x [n, d] with weights w [k, d]; column and step as in compute_logits."""
        norm = x.norm(dim=1)
        factor = norm * rows_at(w.norm(dim=1), column) if self.keep_weights else norm
        factor = factor.clamp(min=1e-12)
        cosine_weight = self.cosine_weight(step)
        z = x @ (w if self.keep_weights else l2_normalize(w)).T
        return Logits(
            z,
            lambda own: factor * piecewise_margin(own / factor, self.m, cosine_weight=cosine_weight),
            None if self.keep_weights else norm.detach(),
        )


@dataclass(frozen=True)
class NormMargin:
    """MagFace (Meng et al., arXiv 2103.06627, section 3.2): a margin that grows with the norm of a photo's feature.

    The own class's logit is scale cos(t + m(a)) for a norm a, other classes' scale cos t. The margin m(a) rises in a
    straight line from lower_margin at lower_norm to upper_margin at upper_norm; norms outside count as the nearest of
    the two. A regulariser is added to the mean loss: weight times the mean of g(a) = 1/a + a/upper_norm^2. It rewards
    large norms, so that clear photos get them. Settings as published (section 4.1).
    """

    scale: float = 64.0
    lower_norm: float = 10.0
    upper_norm: float = 110.0
    lower_margin: float = 0.45
    upper_margin: float = 0.8
    weight: float = 35.0

    def logits(self, x: Tensor, w: Tensor) -> Logits:
        """The logits of features x [n, d] with weights w [k, d]; gradients reach the features' norms."""
        slope = (self.upper_margin - self.lower_margin) / (self.upper_norm - self.lower_norm)
        margin = self.lower_margin + slope * (self._norm(x) - self.lower_norm)
        z = (l2_normalize(x) * self.scale) @ l2_normalize(w).T
        at_cosine_1 = x.new_full((len(x),), self.scale)
        return Logits(z, lambda own: self.scale * own_margin(own / self.scale, margin), at_cosine_1)

    def regulariser(self, x: Tensor) -> Tensor:
        """weight g(a) of each feature x [n, d]."""
        norm = self._norm(x)
        return self.weight * (norm.reciprocal() + norm / self.upper_norm**2)

    def _norm(self, x: Tensor) -> Tensor:
        norm: Tensor = x.norm(dim=1).clamp(self.lower_norm, self.upper_norm)
        return norm


MovingHead = AdaFace | CurricularFace  # heads whose logits depend on averages over the batches so far
Head = Linear | CombinedMargin | PiecewiseMargin | NormMargin | MovingHead


def weight_shape(head: Head, dim: int) -> tuple[int, ...]:
    """The shape of one class's weights for features of length dim."""
    if isinstance(head, Linear):
        return (dim + 1,)
    return (head.centres, dim) if isinstance(head, CombinedMargin) and head.centres > 1 else (dim,)


def compute_logits(
    head: Head, x: Tensor, w: Tensor, column: Tensor, *, step: int, averages: Tensor | None = None
) -> Logits:
    """The logits of features x [n, d] with the class weights w [k, *weight_shape] of one rank.

    column [n]: the row in w of each photo's own class, -1 when another rank owns it. step: the update's number, for
    margins that change in the course of a training. averages: over the batches so far, for a MovingHead (by default
    those at the start of a training).
    """
    if isinstance(head, MovingHead):
        return head.logits(x, w, column, x.new_tensor(head.first_averages) if averages is None else averages)
    return head.logits(x, w, column, step) if isinstance(head, PiecewiseMargin) else head.logits(x, w)


# Origin of the settings: ArcFace v3 (section 3.2 and Table 2); AM-Softmax (arXiv 1801.05599) for s 30; A-Softmax for m
# and for the fall of lambda when its authors trained on CASIA; L-Softmax for the m of its best LFW figure (section
# 5.3). L-Softmax's published lambda falls so slowly that the margin has no effect in a short training, so lambda falls
# here as in A-Softmax, down to 0.
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
    "magface": NormMargin(),
    "adaface": AdaFace(),
    "curricularface": CurricularFace(),
}
