"""Objectives on two ranks: losses, gradients and checkpoints equal those of one rank."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tests.builders.drawn_features import CLASSES, DIM, PIXELS, batch
from tests.builders.processes.two_ranks import on_two_ranks
from trainer.distributed.ranks import rank, world_size
from trainer.losses.objective import LOSSES, make_objective

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Case:
    """An objective's settings and its optimizer."""

    loss: str
    settings: dict[str, Any]
    optimizer: str = "sgd"
    people: int = CLASSES  # how many of the classes have photos


# losses, with each kind of head and term, to be computed when the second of two ranks samples no class
EMPTY = ("softmax", "subcenter", "l_softmax", "a_softmax", "norm_softmax+intra+inter")
CASES = {
    **{name: Case(name, {}) for name in LOSSES},
    "sampled sparse": Case("arcface", {"sample_rate": 0.4}),
    "sampled sparse adamw": Case("subcenter+focal", {"sample_rate": 0.4}, "adamw"),
    "sampled dense": Case("cosface+centre", {"sample_rate": 0.4, "update": "dense"}),
    "sampled with terms": Case("norm_softmax+intra+inter+ohem", {"sample_rate": 0.4}),
    "magface by norm": Case("magface:lower_norm=0.5,upper_norm=4", {"sample_rate": 0.4}),
    "filtered": Case("arcface", {"filter_cosine": 0.2}),
    "adamw": Case("softmax", {}, "adamw"),
    **{f"no class on a rank: {loss}": Case(loss, {"sample_rate": 0.01}, people=3) for loss in EMPTY},
}
# one case for each kind of state in a checkpoint
RESUMED = [name for name in CASES if name not in LOSSES or name in ("softmax+centre", "subcenter", "triplet")]


class Training:
    """A linear network and an objective; on several ranks each sees its part of each micro-batch."""

    def __init__(self, case: Case) -> None:
        torch.manual_seed(0)
        self.net: nn.Module = nn.Linear(PIXELS, DIM).double()
        if world_size() > 1:
            self.net = DistributedDataParallel(self.net)
        self.people = case.people
        self.objective = make_objective(case.loss, classes=CLASSES, dim=DIM, seed=5, **case.settings).double()
        self.optimizers = [self._optimizer(case, m) for m in (self.net, self.objective) if list(m.parameters())]

    @staticmethod
    def _optimizer(case: Case, module: nn.Module) -> torch.optim.Optimizer:
        if case.optimizer == "adamw":
            return torch.optim.AdamW(module.parameters(), lr=0.01)
        return torch.optim.SGD(module.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3)

    def train(self, steps: range) -> list[float]:
        losses = []
        for step in steps:
            whole = [batch(2 * step + i, people=self.people) for i in range(2)]
            micro = [self._part(*part) for part in whole]
            self.objective.begin_update(torch.cat([label for _, label in whole]), step, self.optimizers[-1])
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            for x, label in micro:
                loss = self.objective(self.net(x), label)
                (loss / 2).backward()
                losses.append(loss.item())
            for optimizer in self.optimizers:
                optimizer.step()
            self.objective.end_update(self.optimizers[-1])
        return losses

    def _part(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        photos_per_rank = len(x) // world_size()
        part = slice(rank() * photos_per_rank, (rank() + 1) * photos_per_rank)
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
    """Two more updates that continue a first half, on any number of ranks."""
    training = Training(case)
    _, weights, state, momentum = before
    momenta_before = iter(momentum)
    for p, value in zip(training.net.parameters(), weights, strict=True):
        p.data.copy_(value)
        names = ["momentum_buffer"] if case.optimizer == "sgd" else ["exp_avg", "exp_avg_sq"]
        training.optimizers[0].state[p] = {name: next(momenta_before).clone() for name in names}
        if case.optimizer == "adamw":
            training.optimizers[0].state[p]["step"] = torch.tensor(2.0)
    training.objective.load_whole_state(state, training.optimizers[-1])
    return training.train(range(2, 4)), training.weights(), training.state(), momenta(training)


def both_halves(alone: dict[str, Result]) -> dict[str, list[Result]]:
    """Run on two ranks: the first half, and the second half that continues one rank's first half."""
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
def test_two_ranks_compute_what_one_rank_does(halves: tuple[Halves, list[Halves]], name: str, half: int) -> None:
    """Losses of every micro-batch, the network and the classifier after two updates, to float64's last digits.

    The second half continues from the state that one rank wrote.
    """
    alone, ranks = halves
    losses, weights, state, _ = alone[name][half]
    assert state or name in ("triplet", "triplet_euclidean")
    for of_rank in (ranks[0][name][half], ranks[1][name][half]):
        assert of_rank[0] == pytest.approx(losses, rel=1e-9, abs=1e-12)
        for actual, expected in zip(of_rank[1], weights, strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-10)
    assert ranks[1][name][half][2] == {}
    actual = ranks[0][name][half][2]
    assert actual.keys() == state.keys()
    for key, expected in state.items():
        torch.testing.assert_close(actual[key], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", RESUMED)
def test_one_rank_continues_a_checkpoint_of_two(halves: tuple[Halves, list[Halves]], name: str) -> None:
    alone, ranks = halves
    actual = second_half(CASES[name], ranks[0][name][0])
    assert actual[0] == pytest.approx(alone[name][1][0], rel=1e-9, abs=1e-12)
