"""What a detector is trained by: scores that say how well a box fits, boxes by overlap, landmarks by distance."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainer.sample_detector.matching import generalised_overlap, match, overlap
from trainer.sample_detector.network import Found, anchors

BOX, MARKS = 2.0, 10.0  # weights beside the score's 1: SCRFD's for the box; landmarks so that both end equally large
SHARP = 0.02  # of a face's side: landmarks nearer than this are moved by the square of what is left


class Truth(NamedTuple):
    """The faces of a picture, in its pixels: boxes [k, 4], landmarks [k, 5, 2]."""

    boxes: Tensor
    landmarks: Tensor


def detection_loss(found: Found, truth: list[Truth], *, height: int, width: int) -> Tensor:
    """The mean loss of a batch, for each anchor that answers for a face.

    Scores: quality focal loss (arXiv 2006.04388, equation 5) towards the overlap that the anchor's box has reached.
    Boxes: 1 - generalised overlap. Landmarks: smooth L1 of the distance, as a share of the face's side.
    """
    places, strides = anchors(height, width)
    answers = torch.stack([match(places, strides, t.boxes) for t in truth])  # [n, a]
    picture, anchor = (answers >= 0).nonzero(as_tuple=True)
    face = answers[picture, anchor]
    starts = torch.tensor([0, *[len(t.boxes) for t in truth]]).cumsum(0)[:-1]
    rows = starts[picture] + face
    boxes, marks = (torch.cat([getattr(t, f) for t in truth])[rows] for f in Truth._fields)
    reached = found.boxes[picture, anchor]
    quality = torch.zeros_like(found.logits)
    quality[picture, anchor] = overlap(reached, boxes).detach()
    count = max(len(rows), 1)
    side = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt()[:, None, None]
    off = found.landmarks[picture, anchor] / side - marks / side
    return (
        quality_focal(found.logits, quality).sum()
        + BOX * (1 - generalised_overlap(reached, boxes)).sum()
        + MARKS * functional.smooth_l1_loss(off, torch.zeros_like(off), beta=SHARP, reduction="none").mean((1, 2)).sum()
    ) / count


def quality_focal(logits: Tensor, quality: Tensor) -> Tensor:
    """Cross entropy towards a quality from 0 to 1, times the square of how far the score still is from it."""
    away = (logits.sigmoid() - quality).square()
    return away * functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
