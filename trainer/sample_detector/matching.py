"""Assigns anchors to faces for the training: anchors near a face's centre whose IoU with its box is relatively high.

Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive Training Sample Selection"
(ATSS, arXiv 1912.02424), algorithm 1, as SCRFD uses it. Convention: boxes are x1, y1, x2, y2 in pixels.
"""

import torch
from torch import Tensor

from trainer.sample_detector.network import ANCHORS, STRIDES

NEAREST = 9  # the paper's k: how many cells of each grid are candidates; each of their anchors is a candidate


def assign_anchors(anchors: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """The number [a] of the face that each anchor is assigned to, -1 for none.

    anchors [a, 3]: x and y of the centre and side of each anchor in pixels; strides [a]: of the anchors' grids; boxes
    [k, 4]: of the faces. A face's candidates are the anchors of the cells nearest to its centre, in each grid. Among
    them, anchors are chosen whose IoU with the face is at least the candidates' mean plus standard deviation, and whose
    centre lies in the box. An anchor that is chosen for two faces is assigned to the one with the higher IoU.
    """
    assigned = torch.full((len(anchors),), -1)
    if not len(boxes):
        return assigned
    squares = torch.cat([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], 1)
    ious = iou(boxes[:, None], squares[None])  # [k, a]
    distance = torch.cdist((boxes[:, :2] + boxes[:, 2:]) / 2, anchors[:, :2])
    candidates = torch.cat([_nearest(distance, strides == s) for s in STRIDES], 1)  # [k, candidates]
    candidate_ious = ious.gather(1, candidates)
    deviation, mean = torch.std_mean(candidate_ious, 1, keepdim=True)
    is_inside = ((anchors[None, :, :2] > boxes[:, None, :2]) & (anchors[None, :, :2] < boxes[:, None, 2:])).all(-1)
    is_chosen = (candidate_ious >= mean + deviation) & is_inside.gather(1, candidates)
    chosen_iou = torch.full_like(ious, -1.0).scatter(1, candidates, torch.where(is_chosen, candidate_ious, -1.0))
    best, face = chosen_iou.max(0)
    assigned[best >= 0] = face[best >= 0]
    return assigned


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes a and b [..., 4], which are broadcast."""
    intersection, union, _ = _areas(a, b)
    return intersection / union


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU minus the share of the hull (the smallest box around both boxes) that lies outside both boxes.

    Unlike IoU it still falls when boxes that do not overlap move apart. Rezatofighi et al., arXiv 1902.09630, algorithm
    1.
    """
    intersection, union, hull = _areas(a, b)
    return intersection / union - (hull - union) / hull


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The areas of intersection, union and hull; union and hull are above 0, because others divide by them."""

    def area(low: Tensor, high: Tensor) -> Tensor:
        return (high - low).clamp(min=0).prod(-1)

    intersection = area(torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:]))
    union = area(a[..., :2], a[..., 2:]) + area(b[..., :2], b[..., 2:]) - intersection
    hull = area(torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:]))
    return intersection, union.clamp(min=1e-6), hull.clamp(min=1e-6)


def _nearest(distance: Tensor, is_in_grid: Tensor) -> Tensor:
    """For each of k faces the numbers of the anchors of a grid that are nearest to it, those of at most NEAREST cells.

    distance [k, a]: of each face to each anchor; is_in_grid [a].
    """
    in_grid = is_in_grid.nonzero()[:, 0]
    count = min(NEAREST * ANCHORS, len(in_grid))
    return in_grid[distance[:, in_grid].topk(count, largest=False).indices]
