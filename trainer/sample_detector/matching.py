"""Which anchors are assigned to which face: those near its centre whose IoU with it is high among the candidates.

Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive Training Sample Selection"
(arXiv 1912.02424), algorithm 1, as SCRFD uses it. Boxes are x1, y1, x2, y2 in pixels.
"""

import torch
from torch import Tensor

from trainer.sample_detector.network import ANCHORS, STRIDES

NEAREST = 9  # candidate points of each grid, the paper's k; all anchors of a point are candidates


def assign_anchors(anchors: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """The index [a] of the face that each anchor is assigned to, -1 for none.

    anchors [a, 3]: x, y, side; strides [a]: of their grids; boxes [k, 4]. A face's candidates are the anchors of each
    grid's points nearest to its centre; those are chosen whose IoU reaches the candidates' mean plus standard deviation
    and whose centre lies in the box. An anchor chosen for two faces is assigned to the one with the higher IoU.
    """
    assigned = torch.full((len(anchors),), -1)
    if not len(boxes):
        return assigned
    squares = torch.cat([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], 1)
    ious = iou(boxes[:, None], squares[None])  # [k, a]
    distance = torch.cdist((boxes[:, :2] + boxes[:, 2:]) / 2, anchors[:, :2])
    candidates = torch.cat([_nearest(distance, strides == s) for s in STRIDES], 1)  # [k, candidates]
    of_candidates = ious.gather(1, candidates)
    deviation, mean = torch.std_mean(of_candidates, 1, keepdim=True)
    inside = ((anchors[None, :, :2] > boxes[:, None, :2]) & (anchors[None, :, :2] < boxes[:, None, 2:])).all(-1)
    chosen = (of_candidates >= mean + deviation) & inside.gather(1, candidates)
    chosen_iou = torch.full_like(ious, -1.0).scatter(1, candidates, torch.where(chosen, of_candidates, -1.0))
    best, face = chosen_iou.max(0)
    assigned[best >= 0] = face[best >= 0]
    return assigned


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes [..., 4]."""
    intersection, union, _ = _areas(a, b)
    return intersection / union


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU minus the share of the hull outside both boxes, which still falls as boxes without overlap move apart.

    Rezatofighi et al., arXiv 1902.09630, algorithm 1.
    """
    intersection, union, hull = _areas(a, b)
    return intersection / union - (hull - union) / hull


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Areas of intersection, union and hull; the last two never 0, because they are divided by."""

    def area(low: Tensor, high: Tensor) -> Tensor:
        return (high - low).clamp(min=0).prod(-1)

    intersection = area(torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:]))
    union = area(a[..., :2], a[..., 2:]) + area(b[..., :2], b[..., 2:]) - intersection
    hull = area(torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:]))
    return intersection, union.clamp(min=1e-6), hull.clamp(min=1e-6)


def _nearest(distance: Tensor, grid: Tensor) -> Tensor:
    """The anchors [k, at most 9 points' worth] of one grid with the smallest distances [k, a]."""
    members = grid.nonzero()[:, 0]
    count = min(NEAREST * ANCHORS, len(members))
    return members[distance[:, members].topk(count, largest=False).indices]
