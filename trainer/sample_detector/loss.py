"""The detector's loss: scores learn the IoU that their box reaches, boxes learn by IoU, landmarks by distance."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainer.sample_detector.matching import assign_anchors, generalised_iou, iou
from trainer.sample_detector.network import Detections, anchors

# the score has weight 1; the box SCRFD's; the landmarks one that makes them about as large as the box in the end
BOX_WEIGHT, LANDMARK_WEIGHT = 2.0, 10.0
LANDMARK_BETA = 0.02  # of a face's side: below this distance the landmarks' loss is quadratic


class GroundTruth(NamedTuple):
    """The faces of a picture, in its pixels: boxes [k, 4], landmarks [k, 5, 2]."""

    boxes: Tensor
    landmarks: Tensor


def detection_loss(predicted: Detections, truth: list[GroundTruth], *, height: int, width: int) -> Tensor:
    """The loss of a batch, divided by the number of anchors that are assigned to a face.

    Scores: quality focal loss (arXiv 2006.04388, equation 5) towards the IoU of the anchor's predicted box. Boxes: 1 -
    generalised IoU. Landmarks: smooth L1 of the distance, as a share of the face's side. truth: one for each picture.
    """
    places, strides = anchors(height, width)
    assigned = torch.stack([assign_anchors(places, strides, t.boxes) for t in truth])  # [n, a]
    picture, anchor = (assigned >= 0).nonzero(as_tuple=True)
    face = assigned[picture, anchor]
    starts = torch.tensor([0, *[len(t.boxes) for t in truth]]).cumsum(0)[:-1]
    rows = starts[picture] + face
    boxes, marks = (torch.cat([getattr(t, f) for t in truth])[rows] for f in GroundTruth._fields)
    predicted_boxes = predicted.boxes[picture, anchor]
    quality = torch.zeros_like(predicted.logits)
    quality[picture, anchor] = iou(predicted_boxes, boxes).detach()
    count = max(len(rows), 1)
    side = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt()[:, None, None]
    off = predicted.landmarks[picture, anchor] / side - marks / side
    landmarks = functional.smooth_l1_loss(off, torch.zeros_like(off), beta=LANDMARK_BETA, reduction="none").mean((1, 2))
    total = quality_focal(predicted.logits, quality).sum()
    total = total + BOX_WEIGHT * (1 - generalised_iou(predicted_boxes, boxes)).sum()
    return (total + LANDMARK_WEIGHT * landmarks.sum()) / count


def quality_focal(logits: Tensor, quality: Tensor) -> Tensor:
    """Cross entropy towards a quality from 0 to 1, times the square of the score's distance from it."""
    weight = (logits.sigmoid() - quality).square()
    return weight * functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
