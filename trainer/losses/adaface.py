"""AdaFace: a margin that adapts to the quality of a photo, for which the norm of its feature stands.

Kim, Jain, Liu, "AdaFace: Quality Adaptive Margin for Face Recognition" (CVPR 2022, arXiv 2204.00964), sections 3.2 and
3.3. Hard photos count more where the quality is high, and less where it is low: there they may show nobody that can be
recognised.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trainer.losses.cross_entropy import Logits
from trainer.losses.l2_normalize import l2_normalize
from trainer.losses.margins import own_margin

# as in the code that the authors published (head.py): norms are clamped to these, and the last is added to their
# standard deviation; the averages start from norms that a network of 512 outputs after a batch norm has
LEAST_NORM, LARGEST_NORM, EPSILON = 1e-3, 100.0, 1e-3
FIRST_MEAN, FIRST_SD = 20.0, 100.0


@dataclass(frozen=True)
class AdaFace:
    """scale (cos(t - margin q) - margin - margin q) for the own class, scale cos t for others (section 3.3).

    q = h (a - mean) / sd, clamped to -1..1, is the quality of a photo with a feature of norm a. Mean and standard
    deviation of the norms are moving averages over the (micro-)batches of all ranks, in which each has the weight
    `rate`. No gradient reaches the norms. For q = -1 this is ArcFace's margin, for q = 0 CosFace's. An angle t - margin
    q below 0 counts as 0; above pi the cosine is continued as in margins.combined_margin, where the published code
    clamps the angle. Margin, h and rate as in section 4 and the published code.
    """

    scale: float = 64.0
    margin: float = 0.4
    h: float = 0.333
    rate: float = 0.01
    first_averages: ClassVar[tuple[float, ...]] = (FIRST_MEAN, FIRST_SD)

    def logits(self, x: Tensor, w: Tensor, _column: Tensor, averages: Tensor) -> Logits:
        """The logits of features x [n, d] with weights w [k, d]; averages [2]: mean and sd of the norms so far."""
        quality = self.quality(x, averages)
        z = (l2_normalize(x) * self.scale) @ l2_normalize(w).T
        return Logits(z, lambda own: self._target(own, quality), x.new_full((len(x),), self.scale))

    def quality(self, x: Tensor, averages: Tensor) -> Tensor:
        """The quality q [n], from -1 to 1, of features x [n, d]."""
        mean, sd = averages
        quality: Tensor = (self.h * (_norms(x) - mean) / (sd + EPSILON)).clamp(-1, 1)
        return quality

    def batch_averages(self, x: Tensor, _w: Tensor, _column: Tensor) -> Tensor:
        """Mean and standard deviation [2] of the norms of features x [n, d]; the latter is nan for a single photo."""
        norms = _norms(x)
        return torch.stack([norms.mean(), norms.std() if len(norms) > 1 else norms.new_tensor(torch.nan)])

    def _target(self, own: Tensor, quality: Tensor) -> Tensor:
        turned = own_margin(own / self.scale, -self.margin * quality)
        return self.scale * (turned - self.margin * (1 + quality))


@torch.no_grad()
def _norms(x: Tensor) -> Tensor:
    norms: Tensor = x.norm(dim=1).clamp(LEAST_NORM, LARGEST_NORM)
    return norms
