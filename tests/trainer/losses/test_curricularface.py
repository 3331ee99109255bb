"""CurricularFace: logits class by class by the paper's formula, gradients, and the progress of a training."""

import math

import pytest
import torch
from torch import Tensor

from trainer.losses.curricularface import CurricularFace
from trainer.losses.objective import make_objective

CLASSES, DIM = 6, 4
LABEL = torch.tensor([0, 3, 1, 4, 5])
HEADS = [CurricularFace(), CurricularFace(scale=16, margin=0.3)]


def drawn() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(11)
    x = torch.randn(len(LABEL), DIM, generator=generator, dtype=torch.float64)
    w = torch.randn(CLASSES, DIM, generator=generator, dtype=torch.float64)
    return x, w + 2 * torch.eye(CLASSES, len(LABEL), dtype=torch.float64)[:, LABEL.argsort()] @ x


def with_margin(head: CurricularFace, x: Tensor, w: Tensor, progress: float) -> Tensor:
    z, margin, _ = head.logits(x, w, LABEL, torch.tensor([progress], dtype=torch.float64))
    return z.scatter(1, LABEL[:, None], margin(z.gather(1, LABEL[:, None])[:, 0])[:, None])


def slow_row(head: CurricularFace, x: list[float], w: list[list[float]], label: int, progress: float) -> list[float]:
    cosines = [sum(p * q for p, q in zip(x, row, strict=True)) / math.hypot(*x) / math.hypot(*row) for row in w]
    turned = math.acos(cosines[label]) + head.margin
    target = math.cos(turned) if turned <= math.pi else -math.cos(turned) - 2
    values = [c * (progress + c) if c > target else c for c in cosines]
    values[label] = target
    return [head.scale * value for value in values]


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("progress", [0.0, 0.4])
def test_logits_equal_the_formula_of_the_paper(head: CurricularFace, progress: float) -> None:
    x, w = drawn()
    rows = [slow_row(head, x[i].tolist(), w.tolist(), int(LABEL[i]), progress) for i in range(len(LABEL))]
    plain = head.scale * torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(w).T
    expected = torch.tensor(rows, dtype=torch.float64)
    changed = (expected - plain).abs() > 1e-9
    assert 5 < changed.sum() < changed.numel(), "some classes are hard and some are not"
    torch.testing.assert_close(with_margin(head, x, w, progress), expected)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_gradients_reach_features_and_weights(head: CurricularFace) -> None:
    x, w = (v.requires_grad_() for v in drawn())
    assert torch.autograd.gradcheck(lambda x, w: with_margin(head, x, w, 0.3), (x, w))


def test_progress_is_the_average_cosine_of_photos_to_their_classes() -> None:
    ob = make_objective("curricularface:rate=0.5", classes=2, dim=2).double()
    assert ob.fc is not None
    assert ob.averages is not None
    with torch.no_grad():
        ob.fc.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 0.1]]))
    x, label = torch.tensor([[3.0, 4.0], [4.0, 3.0]], dtype=torch.float64), torch.tensor([0, 1])
    ob(x, label)  # both cosines are .6
    assert ob.averages.values.tolist() == pytest.approx([0.3])
    loss = ob(x, label)  # at .45: the other class, of cosine .8, is hard
    own, other = 64 * math.cos(math.acos(0.6) + 0.5), 64 * 0.8 * (0.45 + 0.8)
    assert loss.item() == pytest.approx(math.log1p(math.exp(other - own)))
    ob.eval()(x, label)
    assert ob.averages.values.tolist() == pytest.approx([0.45])
