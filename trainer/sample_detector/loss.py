"""The detector's loss: the sum of a loss of scores, one of boxes and one of landmarks.

A score is trained to equal the IoU of its predicted box with the face's box.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainer.sample_detector.matching import assign_anchors, generalised_iou, iou
from trainer.sample_detector.network import Detections, anchors

# weights of the losses of boxes and landmarks; the scores' is 1. The boxes' is SCRFD's; with the landmarks' their loss
# is about twice the boxes' at the end of the training, because they are what the embedder needs
BOX_WEIGHT, LANDMARK_WEIGHT = 2.0, 20.0
LANDMARK_BETA = 0.02  # in sides of the face: below this distance the landmarks' loss is quadratic, above it linear


class GroundTruth(NamedTuple):
    """The k faces of a picture: boxes [k, 4] as x1, y1, x2, y2 and landmarks [k, 5, 2] as x, y, in pixels."""

    boxes: Tensor
    landmarks: Tensor


def detection_loss(predicted: Detections, truth: list[GroundTruth], *, height: int, width: int) -> Tensor:
    """The loss of a batch of n pictures of this height and width, divided by the number of anchors assigned to a face.

    Scores: quality focal loss (arXiv 2006.04388, equation 5) towards the IoU of the anchor's predicted box. Boxes: 1 -
    generalised IoU. Landmarks: smooth L1 of the distance, as a share of the face's side. truth: the faces of each
    picture.
    """
    anchor_squares, strides = anchors(height, width)
    assigned = torch.stack([assign_anchors(anchor_squares, strides, t.boxes) for t in truth])  # [n, a]
    picture, anchor = (assigned >= 0).nonzero(as_tuple=True)
    face = assigned[picture, anchor]
    first_face = torch.tensor([0, *[len(t.boxes) for t in truth]]).cumsum(0)[:-1]  # of each picture, among all faces
    rows = first_face[picture] + face
    boxes, true_landmarks = (torch.cat([getattr(t, f) for t in truth])[rows] for f in GroundTruth._fields)
    predicted_boxes = predicted.boxes[picture, anchor]
    quality = torch.zeros_like(predicted.logits)
    quality[picture, anchor] = iou(predicted_boxes, boxes).detach()
    count = max(len(rows), 1)
    side = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt()[:, None, None]
    error = predicted.landmarks[picture, anchor] / side - true_landmarks / side
    landmark_losses = functional.smooth_l1_loss(
        error, torch.zeros_like(error), beta=LANDMARK_BETA, reduction="none"
    ).mean((1, 2))
    total = quality_focal(predicted.logits, quality).sum()
    total = total + BOX_WEIGHT * (1 - generalised_iou(predicted_boxes, boxes)).sum()
    return (total + LANDMARK_WEIGHT * landmark_losses.sum()) / count


def quality_focal(logits: Tensor, quality: Tensor) -> Tensor:
    """Cross-entropy of logits towards a quality from 0 to 1, times (score - quality)^2; all of the same shape."""
    weight = (logits.sigmoid() - quality).square()
    return weight * functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
