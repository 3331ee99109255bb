"""CurricularFace: the weight of hard negatives rises in the course of a training, as the photos near their classes.

Huang et al., "CurricularFace: Adaptive Curriculum Learning Loss for Deep Face Recognition" (CVPR 2020, arXiv
2004.00288), section 3.2.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trainer.distributed.ranks import rows_at, sum_over_ranks
from trainer.losses.cross_entropy import Logits
from trainer.losses.l2_normalize import l2_normalize
from trainer.losses.margins import combined_margin


@dataclass(frozen=True)
class CurricularFace:
    """scale cos(t + margin) for the own class, scale N(cos t_j) for others (section 3.2).

    N(c) = c (progress + c) for a hard class, whose cosine c is above the own class's cos(t + margin), else c.
    `progress` is the moving average of the photos' cosines to their own classes, in which a batch has the weight `rate`
    (the paper's t); it starts at 0, so hard classes count little at first. The margin is ArcFace's, with its
    continuation beyond pi (margins.combined_margin), where the published code subtracts a constant. With sampled
    classes (Partial FC) the hard ones are those of the sample. Settings as published (section 4.1). On several ranks
    the average is over the photos of all of them.
    """

    scale: float = 64.0
    margin: float = 0.5
    rate: float = 0.01
    first_averages: ClassVar[tuple[float, ...]] = (0.0,)

    def logits(self, x: Tensor, w: Tensor, column: Tensor, averages: Tensor) -> Logits:
        """The logits of features x [n, d] with weights w [k, d]; column as in compute_logits; averages [1]: progress.

        Which classes are hard is decided without gradient.
        """
        z = (l2_normalize(x) * self.scale) @ l2_normalize(w).T
        target = self._target(self.scale * own_cosines(x, w, column))
        is_hard = z.detach() > target[:, None]
        if len(w):  # the own class is never hard; its logit stays for the margin
            index = column.clamp(min=0)[:, None]
            is_hard.scatter_(1, index, is_hard.gather(1, index) & (column < 0)[:, None])
        return Logits(torch.where(is_hard, z * (averages[0] + z / self.scale), z), self._target)

    def batch_averages(self, x: Tensor, w: Tensor, column: Tensor) -> Tensor:
        """The mean [1] of the photos' cosines to their own classes."""
        return own_cosines(x, w, column).mean(0, keepdim=True)

    def _target(self, own: Tensor) -> Tensor:
        return self.scale * combined_margin(own / self.scale, 1.0, self.margin)


@torch.no_grad()
def own_cosines(x: Tensor, w: Tensor, column: Tensor) -> Tensor:
    """The cosine [n] of each photo's feature x [n, d] to its own class, which any rank may own; without gradient."""
    cosine = (l2_normalize(x) * rows_at(l2_normalize(w), column)).sum(1)
    return sum_over_ranks(torch.where(column >= 0, cosine, 0))
