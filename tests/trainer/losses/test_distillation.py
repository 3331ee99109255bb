"""Distillation: its distances by hand, gradients, and texts that describe it."""

import math

import pytest
import torch
from torch import Tensor

from pipeline.errors import UserError
from trainer.losses.distillation import Distillation, DistillationLoss, parse_distillation


def drawn(teacher_dim: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    return x, torch.randn(5, teacher_dim, generator=generator, dtype=torch.float64)


def slow_value(term: DistillationLoss, x: list, target: list, matrix: list | None) -> float:
    distances = []
    for row, t in zip(x, target, strict=True):
        y = row if matrix is None else [sum(a * b for a, b in zip(m, row, strict=True)) for m in matrix]
        if term.kind == "cosine":
            distances.append(1 - sum(p * q for p, q in zip(y, t, strict=True)) / math.hypot(*y) / math.hypot(*t))
        else:
            norm = sum(math.hypot(*other) ** 2 for other in target) / len(target)
            distances.append(math.dist(y, t) ** 2 / norm)
    return term.weight * sum(distances) / len(distances)


@pytest.mark.parametrize(
    ("text", "teacher_dim", "has_matrix"), [("cosine", 4, False), ("cosine:weight=3", 6, True), ("feature", 4, True)]
)
def test_values_and_gradients(text: str, teacher_dim: int, has_matrix: bool) -> None:
    ob = Distillation(parse_distillation(text), dim=4, teacher_dim=teacher_dim).double()
    assert (ob.matrix is not None) == has_matrix
    x, target = drawn(teacher_dim)
    matrix = None if ob.matrix is None else ob.matrix.tolist()
    assert ob(x, target).item() == pytest.approx(slow_value(ob.term, x.tolist(), target.tolist(), matrix))
    assert torch.autograd.gradcheck(lambda x, *_: ob(x, target), (x.requires_grad_(), *ob.parameters()))


def test_features_that_are_the_teachers_have_no_distance() -> None:
    x, _ = drawn(4)
    ob = Distillation(DistillationLoss("feature"), dim=4, teacher_dim=4).double()
    assert ob.matrix is not None
    assert ob(x, x @ ob.matrix.T.detach()).item() == pytest.approx(0)
    assert Distillation(DistillationLoss("cosine"), dim=4, teacher_dim=4)(x, 7 * x).item() == pytest.approx(0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("angle", "distillation 'angle': expected cosine or feature"),
        ("cosine:5", "expected cosine or feature, or one with a weight"),
        ("cosine:weight=0", "expected a weight above 0"),
        ("feature:weight=nan", "expected a weight above 0"),
        ("feature:weight=much", "expected a weight above 0"),
    ],
)
def test_another_text_raises_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_distillation(text)
    assert parse_distillation("feature:weight=2.5") == DistillationLoss("feature", 2.5)


def test_a_checkpoint_of_another_teacher_is_refused() -> None:
    term = DistillationLoss("feature")
    saved, other = (Distillation(term, dim=4, teacher_dim=d) for d in (4, 6))
    optimizer = torch.optim.SGD(saved.parameters(), lr=0.1)
    for state in ({}, other.whole_state(torch.optim.SGD(other.parameters(), lr=0.1))):
        with pytest.raises(UserError, match="has no matrix to this teacher's features"):
            saved.load_whole_state(state, optimizer)
