"""Triplet losses: a photo should be nearer to photos of the same person than to photos of other people, by a margin.

FaceNet (Schroff et al., arXiv 1503.03832, section 3.1) measures squared distances, ArcFace v3 (arXiv 1801.07698v3,
section 2.4, equation 7) angles; both of features of norm 1. The loss of a batch without two photos of any person is 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.distributed.ranks import rank, sum_over_ranks, world_size
from trainer.losses.l2_normalize import l2_normalize
from trainer.losses.margins import arc_cosine


@dataclass(frozen=True)
class Triplet:
    """The mean of max(0, d(a, p) - d(a, n) + margin) over pairs of anchor a and positive p; n is a semi-hard negative.

    d is the angle in radians (margin .35: ArcFace v3, Table 2), or with angle=False the squared distance (margin .2:
    FaceNet). n is the nearest of the negatives that are further from the anchor than the positive (FaceNet, section
    3.2), or the furthest negative when there are none: the nearest negatives of all can make the features collapse
    early in a training. Batches hold groups of up to `photos` photos of a person (FaceNet: about 40, in batches of
    1,800; with 4 also a small batch holds several people with pairs).
    """

    margin: float = 0.35
    angle: bool = True
    photos: int = 4

    def __call__(self, x: Tensor, label: Tensor) -> Tensor:
        """This rank's share of the loss: the sum over pairs whose anchor is a photo of this rank.

        x [n, d] and label [n]: the features and labels of all ranks' photos.
        """
        x = l2_normalize(x)
        photos_per_rank = len(x) // world_size()
        anchors = slice(rank() * photos_per_rank, (rank() + 1) * photos_per_rank)
        distance = self._distance(x[anchors] @ x.T)
        same = label[anchors, None] == label[None]
        negative = semi_hard_negatives(distance.detach(), same)
        positive = same.clone()
        anchor = torch.arange(photos_per_rank)
        positive[anchor, anchor + anchors.start] = False  # a photo is not its own positive
        positive &= (~same).any(1, keepdim=True)
        excess = (distance - distance.gather(1, negative) + self.margin).clamp(min=0)
        pairs = sum_over_ranks(positive.sum())
        return torch.where(positive, excess, 0).sum() / pairs.clamp(min=1)

    def _distance(self, cosine: Tensor) -> Tensor:
        return arc_cosine(cosine) if self.angle else 2 - 2 * cosine


def semi_hard_negatives(distance: Tensor, same: Tensor) -> Tensor:
    """For each anchor and each photo as its positive, the column [a, n] of the semi-hard negative.

    distance [a, n]: of each anchor to each photo. same [a, n]: whether the photo shows the anchor's person. The
    negatives are sorted once per anchor, which avoids a tensor [a, n, n].
    """
    ordered, column = torch.where(same, torch.inf, distance).sort(1)
    first_further = torch.searchsorted(ordered, distance.contiguous(), right=True)
    negatives = (~same).sum(1, keepdim=True)
    return column.gather(1, torch.minimum(first_further, (negatives - 1).clamp(min=0)))


TRIPLETS = {"triplet": Triplet(), "triplet_euclidean": Triplet(margin=0.2, angle=False)}
