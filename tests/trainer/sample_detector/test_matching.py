"""Assignment of anchors to faces: IoU by hand, and the assignment against a slow version of the published algorithm."""

import numpy as np
import pytest
import torch
from torch import Tensor

from trainer.sample_detector.matching import assign_anchors, generalised_iou, iou
from trainer.sample_detector.network import anchors


def box(*corners: float) -> Tensor:
    return torch.tensor(corners, dtype=torch.float32)


def test_ious_by_hand() -> None:
    a = box(0, 0, 4, 4)
    assert iou(a, a) == 1
    assert iou(a, box(2, 0, 6, 4)) == pytest.approx(8 / 24)
    assert iou(a, box(4, 0, 8, 4)) == 0
    assert generalised_iou(a, a) == 1
    # hull 6 x 4, all of it covered
    assert generalised_iou(a, box(2, 0, 6, 4)) == pytest.approx(8 / 24)
    # 4 pixels apart: the hull is 12 x 4 = 48, the union 32, so a third of the hull is empty
    assert generalised_iou(a, box(8, 0, 12, 4)) == pytest.approx(-16 / 48)


def slow_assignment(places: np.ndarray, strides: np.ndarray, boxes: np.ndarray) -> list[int]:
    chosen_for: dict[int, list[tuple[float, int]]] = {}  # for each anchor its IoU with each face that it is chosen for
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        candidates: list[int] = []
        for stride in (8, 16, 32):
            members = [i for i in range(len(places)) if strides[i] == stride]
            distance = {i: (places[i, 0] - (x1 + x2) / 2) ** 2 + (places[i, 1] - (y1 + y2) / 2) ** 2 for i in members}
            candidates += sorted(members, key=lambda i: distance[i])[:18]
        ious = []
        for i in candidates:
            x, y, side = places[i]
            wide = max(0, min(x2, x + side / 2) - max(x1, x - side / 2))
            high = max(0, min(y2, y + side / 2) - max(y1, y - side / 2))
            ious.append(wide * high / ((x2 - x1) * (y2 - y1) + side * side - wide * high))
        min_iou = np.mean(ious) + np.std(ious, ddof=1)
        for i, value in zip(candidates, ious, strict=True):
            if value >= min_iou and x1 < places[i, 0] < x2 and y1 < places[i, 1] < y2:
                chosen_for.setdefault(i, []).append((value, k))
    return [max(chosen_for[i])[1] if i in chosen_for else -1 for i in range(len(places))]


def test_the_assignment_is_the_published_algorithms() -> None:
    rng = np.random.default_rng(0)
    places, strides = anchors(160, 192)
    for _ in range(5):
        # random coordinates, so that no two anchors are equally near to a face
        low = rng.uniform(0, 90, (4, 2))
        boxes = np.concatenate([low, low + rng.uniform(14, 100, (4, 2))], 1).astype(np.float32)
        expected = slow_assignment(places.numpy(), strides.numpy(), boxes)
        assert assign_anchors(places, strides, torch.from_numpy(boxes)).tolist() == expected
        assert set(expected) > {-1}


def test_a_face_is_assigned_anchors_of_about_its_size() -> None:
    places, strides = anchors(320, 320)
    for side in (18, 30, 60, 120, 250):
        x, y = 161, 157
        assigned = assign_anchors(places, strides, box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)[None])
        sizes = places[assigned == 0, 2]
        assert len(sizes) >= 1
        assert ((sizes / side).log2().abs() < 1).all(), side


def test_without_faces_no_anchor_is_assigned() -> None:
    places, strides = anchors(64, 64)
    assert (assign_anchors(places, strides, torch.zeros(0, 4)) == -1).all()
