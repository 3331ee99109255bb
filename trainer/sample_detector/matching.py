"""Which anchors answer for which face: those near its centre that overlap it more than its neighbours usually do.

Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive Training Sample Selection"
(arXiv 1912.02424), algorithm 1, as SCRFD uses it. Boxes are x1, y1, x2, y2 in pixels.
"""

import torch
from torch import Tensor

from trainer.sample_detector.network import ANCHORS, STRIDES

NEAREST = 9  # candidate points of each grid, the paper's k; all anchors of a point are candidates together


def match(anchors: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """For each anchor the index of the face it answers for [a], -1 for none.

    anchors [a, 3]: x, y, side; strides [a] tell the grids apart; boxes [k, 4]. A face's candidates are the anchors of
    each grid's points nearest to its centre; those stay whose overlap reaches the candidates' mean plus standard
    deviation and whose centre lies in the box. An anchor that two faces want goes to the one it overlaps more.
    """
    answer = torch.full((len(anchors),), -1)
    if not len(boxes):
        return answer
    squares = torch.cat([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], 1)
    shared = overlap(boxes[:, None], squares[None])  # [k, a]
    away = torch.cdist((boxes[:, :2] + boxes[:, 2:]) / 2, anchors[:, :2])
    near = torch.cat([_nearest(away, strides == s) for s in STRIDES], 1)  # [k, candidates]
    worth = shared.gather(1, near)
    deviation, mean = torch.std_mean(worth, 1, keepdim=True)
    inside = ((anchors[None, :, :2] > boxes[:, None, :2]) & (anchors[None, :, :2] < boxes[:, None, 2:])).all(-1)
    chosen = (worth >= mean + deviation) & inside.gather(1, near)
    wanted = torch.full_like(shared, -1.0).scatter(1, near, torch.where(chosen, worth, -1.0))
    best, face = wanted.max(0)
    answer[best >= 0] = face[best >= 0]
    return answer


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes [..., 4]."""
    both, either, _ = _areas(a, b)
    return both / either


def generalised_overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union less the share of the hull that is in neither: falls on when boxes part.

    Rezatofighi et al., arXiv 1902.09630, algorithm 1.
    """
    both, either, hull = _areas(a, b)
    return both / either - (hull - either) / hull


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Areas of intersection, union and hull; never 0, so that they can be divided by."""

    def area(low: Tensor, high: Tensor) -> Tensor:
        return (high - low).clamp(min=0).prod(-1)

    both = area(torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:]))
    either = area(a[..., :2], a[..., 2:]) + area(b[..., :2], b[..., 2:]) - both
    hull = area(torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:]))
    return both, either.clamp(min=1e-6), hull.clamp(min=1e-6)


def _nearest(away: Tensor, grid: Tensor) -> Tensor:
    """The anchors [k, at most 9 points' worth] of one grid with the smallest distances [k, a]."""
    members = grid.nonzero()[:, 0]
    count = min(NEAREST * ANCHORS, len(members))
    return members[away[:, members].topk(count, largest=False).indices]
