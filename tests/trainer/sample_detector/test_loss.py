"""The detector's loss: each part by hand, and 0 for perfect predictions."""

import math

import pytest
import torch
from torch import Tensor

from trainer.sample_detector.loss import (
    BOX_WEIGHT,
    LANDMARK_BETA,
    LANDMARK_WEIGHT,
    GroundTruth,
    detection_loss,
    quality_focal,
)
from trainer.sample_detector.matching import assign_anchors
from trainer.sample_detector.network import Detections, anchors

SIDE = 96


def face(x: float, y: float, side: float) -> GroundTruth:
    marks = torch.tensor([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [-0.15, 0.3], [0.15, 0.3]]) * side
    return GroundTruth(
        torch.tensor([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]]), (marks + torch.tensor([x, y]))[None]
    )


def perfect(truth: list[GroundTruth]) -> tuple[Detections, Tensor]:
    """Perfect predictions, and the face that each anchor is assigned to."""
    places, strides = anchors(SIDE, SIDE)
    assigned = torch.stack([assign_anchors(places, strides, t.boxes) for t in truth])
    logits = torch.where(assigned >= 0, 20.0, -20.0)
    boxes, marks = torch.zeros(*assigned.shape, 4), torch.zeros(*assigned.shape, 5, 2)
    for i, t in enumerate(truth):
        at = assigned[i] >= 0
        boxes[i, at], marks[i, at] = t.boxes[assigned[i, at]], t.landmarks[assigned[i, at]]
    return Detections(logits, boxes, marks), assigned


def test_perfect_predictions_have_no_loss() -> None:
    truth = [face(41, 37, 40), GroundTruth(torch.zeros(0, 4), torch.zeros(0, 5, 2))]
    predicted, _ = perfect(truth)
    assert detection_loss(predicted, truth, height=SIDE, width=SIDE).item() == pytest.approx(0, abs=1e-6)


def test_each_part_by_hand() -> None:
    truth = [GroundTruth(torch.zeros(0, 4), torch.zeros(0, 5, 2)), face(41, 37, 40)]
    predicted, assigned = perfect(truth)
    count = int((assigned >= 0).sum())
    assert count > 1
    # all boxes moved by a quarter of their width: an IoU of 3/5, no empty hull, and the scores of 1 are too high now
    moved = detection_loss(
        predicted._replace(boxes=predicted.boxes + torch.tensor([10.0, 0, 10, 0])), truth, height=SIDE, width=SIDE
    )
    too_high = (1 - 0.6) ** 2 * (math.log1p(math.exp(-20)) + 0.4 * 20)
    assert moved.item() == pytest.approx(BOX_WEIGHT * (1 - 0.6) + too_high, rel=1e-5)
    # all landmarks off by a tenth of the side in x: L1 there, nothing in y
    off = detection_loss(
        predicted._replace(landmarks=predicted.landmarks + torch.tensor([4.0, 0])), truth, height=SIDE, width=SIDE
    )
    assert off.item() == pytest.approx(LANDMARK_WEIGHT * (0.1 - LANDMARK_BETA / 2) / 2, rel=1e-4)
    # one empty anchor whose score is 1/2
    logits = predicted.logits.clone()
    logits[0, 7] = 0
    wrong = detection_loss(predicted._replace(logits=logits), truth, height=SIDE, width=SIDE)
    assert wrong.item() == pytest.approx(0.25 * math.log(2) / count, rel=1e-4)


def test_quality_focal_by_hand() -> None:
    logit, quality = math.log(0.8 / 0.2), 0.5
    expected = 0.3**2 * -(0.5 * math.log(0.8) + 0.5 * math.log(0.2))
    assert quality_focal(torch.tensor(logit), torch.tensor(quality)).item() == pytest.approx(expected)


def test_gradients_reach_scores_boxes_and_landmarks_of_assigned_anchors() -> None:
    truth = [face(41, 37, 40), face(60, 50, 24)]
    predicted, assigned = perfect(truth)
    leaves = Detections(*(t.clone().add(0.3).requires_grad_() for t in predicted))
    detection_loss(leaves, truth, height=SIDE, width=SIDE).backward()
    assert all(leaf.grad is not None for leaf in leaves)
    assert (leaves.boxes.grad[assigned >= 0] != 0).any(-1).all()
    assert (leaves.boxes.grad[assigned < 0] == 0).all()
    assert (leaves.landmarks.grad[assigned < 0] == 0).all()


def test_a_batch_without_faces_has_a_loss_of_scores() -> None:
    truth = [GroundTruth(torch.zeros(0, 4), torch.zeros(0, 5, 2))]
    places, _ = anchors(SIDE, SIDE)
    predicted = Detections(
        torch.zeros(1, len(places)), torch.zeros(1, len(places), 4), torch.zeros(1, len(places), 5, 2)
    )
    expected = len(places) * 0.25 * math.log(2)
    assert detection_loss(predicted, truth, height=SIDE, width=SIDE).item() == pytest.approx(expected, rel=1e-5)
