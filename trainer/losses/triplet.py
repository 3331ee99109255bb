"""Triplet losses: a photo shall be nearer to its own person's photos than to other people's, by a margin.

FaceNet (Schroff et al., arXiv 1503.03832, section 3.1) in squared distances, ArcFace v3 (arXiv 1801.07698v3, section
2.4, equation 7) in angles; both on features of norm 1. A batch needs several photos of a person; without such a pair
its loss is 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.distributed.ranks import rank, sum_over_ranks, world_size
from trainer.losses.l2_normalize import l2_normalize
from trainer.losses.margins import arc_cosine


@dataclass(frozen=True)
class Triplet:
    """The mean over anchor-positive pairs of max(0, d(a, p) - d(a, n) + margin) with a semi-hard negative n.

    d is the angle in radians (margin .35: ArcFace v3, Table 2), or with angle=False the squared distance (margin .2:
    FaceNet). n is the nearest negative that is further than the positive (section 3.2); where all are nearer, the
    furthest: the very nearest ones lead to collapsed features early in training. Batches hold up to `photos` of a
    person (some 40 of 1,800 in FaceNet, section 3.2; 4 give everyone a pair in small batches).
    """

    margin: float = 0.35
    angle: bool = True
    photos: int = 4

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """This rank's share of the loss of all ranks' x [n, d] and labels [n]: its own photos are the anchors."""
        x = l2_normalize(x)
        each = len(x) // world_size()
        anchors = slice(rank() * each, (rank() + 1) * each)
        distance = self._distance(x[anchors] @ x.T)
        same = label[anchors, None] == label[None]
        negative = semi_hard_negatives(distance.detach(), same)
        positive = same.clone()
        positive[torch.arange(each), torch.arange(each) + anchors.start] = False
        positive &= (~same).any(1, keepdim=True)
        excess = (distance - distance.gather(1, negative) + self.margin).clamp(min=0)
        pairs = sum_over_ranks(positive.sum())
        return torch.where(positive, excess, 0).sum() / pairs.clamp(min=1)

    def _distance(self, cosine: Tensor) -> Tensor:
        return arc_cosine(cosine) if self.angle else 2 - 2 * cosine


def semi_hard_negatives(distance: Tensor, same: Tensor) -> Tensor:
    """For each anchor and candidate positive [a, n] the column of its semi-hard negative; distance [a, n].

    same [a, n]: which photos show the anchor's person. Negatives are sorted once per anchor, which avoids a tensor
    [a, n, n].
    """
    ordered, column = torch.where(same, torch.inf, distance).sort(1)
    first = torch.searchsorted(ordered, distance.contiguous(), right=True)
    negatives = (~same).sum(1, keepdim=True)
    return column.gather(1, torch.minimum(first, (negatives - 1).clamp(min=0)))


TRIPLETS = {"triplet": Triplet(), "triplet_euclidean": Triplet(margin=0.2, angle=False)}
