"""Objectives by name: each lowers its loss; two ranks are one; what names may say."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError
from tests.builders.two_ranks import on_two_ranks
from trainer.distributed.ranks import rank, world_size
from trainer.losses.heads import Combined
from trainer.losses.margins import combined
from trainer.losses.names import named, with_subcentres
from trainer.losses.objective import LOSSES, Objective, objective

CLASSES, PIXELS, DIM = 11, 6, 4  # an odd number of classes: ranks own 6 and 5


def batch(step: int, size: int = 16, people: int = CLASSES) -> tuple[Tensor, Tensor]:
    made = torch.Generator().manual_seed(step)
    label = torch.randint(people, (size,), generator=made)
    person = torch.randn(CLASSES, PIXELS, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    return person[label] + 0.3 * torch.randn(size, PIXELS, generator=made, dtype=torch.float64), label


@dataclass(frozen=True)
class Case:
    """An objective's settings and the optimizer it is trained by."""

    loss: str
    settings: dict[str, Any]
    optimizer: str = "sgd"
    people: int = CLASSES  # of whom there are photos


# each kind of head and of term, where the second of two ranks has no class to compare with
EMPTY = ("softmax", "subcenter", "l_softmax", "a_softmax", "norm_softmax+intra+inter")
CASES = {
    **{name: Case(name, {}) for name in LOSSES},
    "sampled sparse": Case("arcface", {"sample_rate": 0.4}),
    "sampled sparse adamw": Case("subcenter+focal", {"sample_rate": 0.4}, "adamw"),
    "sampled dense": Case("cosface+centre", {"sample_rate": 0.4, "update": "dense"}),
    "sampled with terms": Case("norm_softmax+intra+inter+ohem", {"sample_rate": 0.4}),
    "filtered": Case("arcface", {"filter_cosine": 0.2}),
    "adamw": Case("softmax", {}, "adamw"),
    **{f"nothing on a rank: {loss}": Case(loss, {"sample_rate": 0.01}, people=3) for loss in EMPTY},
}
# what differs in what a checkpoint holds
RESUMED = [name for name in CASES if name not in LOSSES or name in ("softmax+centre", "subcenter", "triplet")]


class Training:
    """A linear network and an objective; on several ranks each sees its part of each micro-batch."""

    def __init__(self, case: Case) -> None:
        torch.manual_seed(0)
        self.net: nn.Module = nn.Linear(PIXELS, DIM).double()
        if world_size() > 1:
            self.net = DistributedDataParallel(self.net)
        self.people = case.people
        self.objective = objective(case.loss, classes=CLASSES, dim=DIM, seed=5, **case.settings).double()
        self.optimizers = [self._optimizer(case, m) for m in (self.net, self.objective) if list(m.parameters())]

    @staticmethod
    def _optimizer(case: Case, module: nn.Module) -> torch.optim.Optimizer:
        if case.optimizer == "adamw":
            return torch.optim.AdamW(module.parameters(), lr=0.01)
        return torch.optim.SGD(module.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3)

    def train(self, steps: range) -> list[float]:
        losses = []
        for step in steps:
            micro = [self._part(*batch(2 * step + i, people=self.people)) for i in range(2)]
            self.objective.begin(torch.cat([label for _, label in micro]), step, self.optimizers[-1])
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            for x, label in micro:
                loss = self.objective(self.net(x), label)
                (loss / 2).backward()
                losses.append(loss.item())
            for optimizer in self.optimizers:
                optimizer.step()
            self.objective.end(self.optimizers[-1])
        return losses

    def _part(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        each = len(x) // world_size()
        part = slice(rank() * each, (rank() + 1) * each)
        return x[part], label[part]

    def weights(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.net.parameters()]

    def state(self) -> dict[str, Tensor]:
        return self.objective.whole_state(self.optimizers[-1])


Result = tuple[list[float], list[Tensor], dict[str, Tensor], list[Tensor]]


def first_half(case: Case) -> Result:
    """Losses, the network's weights, the whole state, and the network's momenta after two updates."""
    training = Training(case)
    losses = training.train(range(2))
    return losses, training.weights(), training.state(), momenta(training)


def momenta(training: Training) -> list[Tensor]:
    state = training.optimizers[0].state
    return [v.clone() for p in training.net.parameters() for _, v in sorted(state[p].items()) if v.ndim]


def second_half(case: Case, before: Result) -> Result:
    """Two more updates from what two left, on whatever number of ranks."""
    training = Training(case)
    _, weights, state, momentum = before
    kept = iter(momentum)
    for p, value in zip(training.net.parameters(), weights, strict=True):
        p.data.copy_(value)
        names = ["momentum_buffer"] if case.optimizer == "sgd" else ["exp_avg", "exp_avg_sq"]
        training.optimizers[0].state[p] = {name: next(kept).clone() for name in names}
        if case.optimizer == "adamw":
            training.optimizers[0].state[p]["step"] = torch.tensor(2.0)
    training.objective.load_whole_state(state, training.optimizers[-1])
    return training.train(range(2, 4)), training.weights(), training.state(), momenta(training)


def both_halves(alone: dict[str, Result]) -> dict[str, list[Result]]:
    """On two ranks: the first half, and the second half of what one rank began."""
    return {
        name: [first_half(case)] + [second_half(case, alone[name])] * (name in RESUMED) for name, case in CASES.items()
    }


Halves = dict[str, list[Result]]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Matrices this small are slower on two threads, and much slower beside other processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Halves, list[Halves]]:
    """All cases on one rank, and on each of two."""
    first = {name: first_half(case) for name, case in CASES.items()}
    alone = {name: [first[name], second_half(case, first[name])] for name, case in CASES.items()}
    return alone, on_two_ranks(both_halves, tmp_path_factory.mktemp("ranks"), first)


@pytest.mark.parametrize(("name", "half"), [(n, 0) for n in CASES] + [(n, 1) for n in RESUMED], ids=str)
def test_two_ranks_are_one_rank(halves: tuple[Halves, list[Halves]], name: str, half: int) -> None:
    """Losses of every micro-batch, the network and the classifier after two updates, to float64's last digits.

    The resumed half goes on from one rank's checkpoint.
    """
    alone, ranks = halves
    losses, weights, state, _ = alone[name][half]
    assert state or name in ("triplet", "triplet_euclidean")
    for theirs in (ranks[0][name][half], ranks[1][name][half]):
        assert theirs[0] == pytest.approx(losses, rel=1e-9, abs=1e-12)
        for found, expected in zip(theirs[1], weights, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    assert ranks[1][name][half][2] == {}
    found = ranks[0][name][half][2]
    assert found.keys() == state.keys()
    for key, expected in state.items():
        torch.testing.assert_close(found[key], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", RESUMED)
def test_one_rank_goes_on_from_what_two_left(halves: tuple[Halves, list[Halves]], name: str) -> None:
    alone, ranks = halves
    found = second_half(CASES[name], ranks[0][name][0])
    assert found[0] == pytest.approx(alone[name][1][0], rel=1e-9, abs=1e-12)


def toy(ob: Objective, steps: int) -> list[float]:
    torch.manual_seed(1)
    net = nn.Linear(PIXELS, DIM)
    optimizer = torch.optim.AdamW([*net.parameters(), *ob.parameters()], lr=0.02)
    losses = []
    for step in range(steps):
        x, label = batch(step, 64)
        ob.begin(label, step, optimizer)
        loss = ob(net(x.float()), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ob.end(optimizer)
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", [*LOSSES, "arcface:shortcut=1", "triplet+centre", "sphereface:scale=16+focal+centre"])
def test_every_loss_is_lowered(name: str) -> None:
    losses = toy(objective(name, classes=CLASSES, dim=DIM), 60)
    start, end = sum(losses[:3]) / 3, sum(losses[-5:]) / 5
    assert end < start - 0.2 * abs(start)
    assert all(math.isfinite(v) for v in losses)


def test_a_sampled_classifier_learns_too() -> None:
    losses = toy(objective("arcface:scale=16,m2=0.3", classes=CLASSES, dim=DIM, sample_rate=0.5), 80)
    assert sum(losses[-5:]) < 0.3 * sum(losses[:5])


def test_the_whole_objective_is_the_plain_cross_entropy_of_the_margin_logits() -> None:
    ob = objective("cm2", classes=CLASSES, dim=DIM, seed=2).double()
    x, label = torch.randn(16, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64), batch(0)[1]
    assert ob.fc is not None
    w = ob.fc.all_rows().clone().requires_grad_()
    x = x.requires_grad_()
    cosine = nn.functional.normalize(x) @ nn.functional.normalize(w).T
    own = combined(cosine.gather(1, label[:, None]), 0.9, 0.4, 0.15)
    plain = nn.functional.cross_entropy(64 * cosine.scatter(1, label[:, None], own), label)
    expected = torch.autograd.grad(plain, (x, w))
    loss = ob(x, label)
    found = torch.autograd.grad(loss, (x, *ob.parameters()))
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(found, expected)


def test_half_precision_features_are_compared_in_float32() -> None:
    ob = objective("arcface", classes=CLASSES, dim=DIM)
    x, label = batch(0)[0][:, :DIM], batch(0)[1]
    with torch.autocast("cpu", torch.bfloat16):
        inside = ob(x.bfloat16(), label)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, ob(x.bfloat16().float(), label), rtol=1e-6, atol=0)


def test_the_shape_of_the_class_weights_in_a_checkpoint() -> None:
    def shape(loss: str, **settings: Any) -> tuple[int, ...] | None:
        found = objective(loss, classes=CLASSES, dim=DIM, **settings)
        state = found.whole_state(torch.optim.SGD([*found.parameters(), torch.zeros(1)], lr=0.1))
        return tuple(state["weight"].shape) if "weight" in state else None

    assert shape("softmax") == (CLASSES, DIM + 1), "the last column is the bias"
    assert shape("arcface", sample_rate=0.3) == (CLASSES, DIM)
    assert shape("subcenter") == (CLASSES, 3, DIM)
    assert shape("subcenter:centres=2") == (CLASSES, 2, DIM)
    assert shape("triplet") is None


def test_settings_in_a_name() -> None:
    parsed = named("arcface:scale=16,m2=0.3+focal:gamma=1e+0+centre")
    assert repr(parsed.head) == "Combined(scale=16.0, m1=1.0, m2=0.3, m3=0.0, centres=1, shortcut=False)"
    assert repr(parsed.focal) == "Focal(gamma=1.0)"
    assert parsed.centre is not None
    assert named("a_softmax:m=2,least=0").head == named("a_softmax:m=2.0,least=0.0").head


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("arcfaec", "no head of a loss is called 'arcfaec': it is one of softmax, "),
        ("arcface+hard", "no term of a loss is called 'hard': it is one of centre, "),
        ("arcface:m4=1", "arcface:m4=1: 'm4' is not a setting of it; it has only scale, m1"),
        ("softmax:scale=1", "'scale' is not a setting of it; it has nothing to set"),
        ("arcface:m2=half", "m2 is 'half', expected a number"),
        ("a_softmax:m=1.5", "m is '1.5', expected a whole number"),
        ("arcface:scale=0", "expected scale and m1 above 0"),
        ("arcface:scale=nan", "expected finite numbers"),
        ("a_softmax:m=0", "expected m at least 1"),
        ("arcface+ohem:share=2", "share is 2.0, expected more than 0, at most 1"),
        ("triplet+focal", "focal needs a softmax, and triplet has none"),
        ("subcenter+intra", "intra needs one centre a class, and subcenter has 3"),
        ("arcface+focal+focal", "each kind of term once"),
    ],
)
def test_names_that_do_not_fit_are_told_apart(name: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        objective(name, classes=CLASSES, dim=DIM)
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["softmax", "l_softmax", "triplet"])
def test_a_filter_needs_cosines(name: str) -> None:
    with pytest.raises(UserError, match="compares no cosines"):
        objective(name, classes=CLASSES, dim=DIM, filter_cosine=0.4)


def test_a_loss_with_sub_centres_keeps_its_settings() -> None:
    found = named(with_subcentres("arcface:scale=16,m2=0.3+focal")).head
    assert isinstance(found, Combined)
    assert (found.scale, found.m2, found.centres) == (16, 0.3, 3)
    assert with_subcentres("cosface", 2) == "cosface:centres=2"
    for loss in ("softmax", "a_softmax", "triplet", "arcface+intra"):
        with pytest.raises(UserError, match=loss.split("+")[0]):
            with_subcentres(loss)
