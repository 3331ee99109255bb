"""The detector's loss: by hand, and none where nothing is left to learn."""

import math

import pytest
import torch
from torch import Tensor

from trainer.sample_detector.loss import BOX, MARKS, SHARP, Truth, detection_loss, quality_focal
from trainer.sample_detector.matching import match
from trainer.sample_detector.network import Found, anchors

SIDE = 96


def face(x: float, y: float, side: float) -> Truth:
    marks = torch.tensor([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [-0.15, 0.3], [0.15, 0.3]]) * side
    return Truth(
        torch.tensor([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]]), (marks + torch.tensor([x, y]))[None]
    )


def perfect(truth: list[Truth]) -> tuple[Found, Tensor]:
    """What a network that knows would say, and which anchors answer."""
    places, strides = anchors(SIDE, SIDE)
    answers = torch.stack([match(places, strides, t.boxes) for t in truth])
    logits = torch.where(answers >= 0, 20.0, -20.0)
    boxes, marks = torch.zeros(*answers.shape, 4), torch.zeros(*answers.shape, 5, 2)
    for i, t in enumerate(truth):
        there = answers[i] >= 0
        boxes[i, there], marks[i, there] = t.boxes[answers[i, there]], t.landmarks[answers[i, there]]
    return Found(logits, boxes, marks), answers


def test_who_knows_has_no_loss() -> None:
    truth = [face(41, 37, 40), Truth(torch.zeros(0, 4), torch.zeros(0, 5, 2))]
    found, _ = perfect(truth)
    assert detection_loss(found, truth, height=SIDE, width=SIDE).item() == pytest.approx(0, abs=1e-6)


def test_each_part_by_hand() -> None:
    truth = [Truth(torch.zeros(0, 4), torch.zeros(0, 5, 2)), face(41, 37, 40)]
    found, answers = perfect(truth)
    count = int((answers >= 0).sum())
    assert count > 1
    # all boxes moved by a quarter of their width: 3/5 shared, no empty hull, and the scores of 1 are too high now
    moved = detection_loss(
        found._replace(boxes=found.boxes + torch.tensor([10.0, 0, 10, 0])), truth, height=SIDE, width=SIDE
    )
    too_high = (1 - 0.6) ** 2 * (math.log1p(math.exp(-20)) + 0.4 * 20)
    assert moved.item() == pytest.approx(BOX * (1 - 0.6) + too_high, rel=1e-5)
    # all landmarks off by a tenth of the side in x: L1 there, nothing in y
    off = detection_loss(
        found._replace(landmarks=found.landmarks + torch.tensor([4.0, 0])), truth, height=SIDE, width=SIDE
    )
    assert off.item() == pytest.approx(MARKS * (0.1 - SHARP / 2) / 2, rel=1e-4)
    # one empty anchor that claims even odds of a face
    logits = found.logits.clone()
    logits[0, 7] = 0
    wrong = detection_loss(found._replace(logits=logits), truth, height=SIDE, width=SIDE)
    assert wrong.item() == pytest.approx(0.25 * math.log(2) / count, rel=1e-4)


def test_quality_focal_by_hand() -> None:
    logit, quality = math.log(0.8 / 0.2), 0.5
    expected = 0.3**2 * -(0.5 * math.log(0.8) + 0.5 * math.log(0.2))
    assert quality_focal(torch.tensor(logit), torch.tensor(quality)).item() == pytest.approx(expected)


def test_gradients_reach_scores_boxes_and_landmarks_and_no_target() -> None:
    truth = [face(41, 37, 40), face(60, 50, 24)]
    found, answers = perfect(truth)
    leaves = Found(*(t.clone().add(0.3).requires_grad_() for t in found))
    detection_loss(leaves, truth, height=SIDE, width=SIDE).backward()
    assert all(leaf.grad is not None for leaf in leaves)
    assert (leaves.boxes.grad[answers >= 0] != 0).any(-1).all()
    assert (leaves.boxes.grad[answers < 0] == 0).all()
    assert (leaves.landmarks.grad[answers < 0] == 0).all()


def test_a_batch_without_faces_has_a_loss_all_the_same() -> None:
    truth = [Truth(torch.zeros(0, 4), torch.zeros(0, 5, 2))]
    places, _ = anchors(SIDE, SIDE)
    found = Found(torch.zeros(1, len(places)), torch.zeros(1, len(places), 4), torch.zeros(1, len(places), 5, 2))
    expected = len(places) * 0.25 * math.log(2)
    assert detection_loss(found, truth, height=SIDE, width=SIDE).item() == pytest.approx(expected, rel=1e-5)
