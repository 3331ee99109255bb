"""Partial FC on one rank: which classes are sampled, which rows an update changes, and with which momentum."""

import pytest
import torch
from torch import Tensor

from pipeline.errors import UserError
from trainer.distributed.partial_fc import PartialFC

CLASSES, DIM, STEPS = 12, 3, 6
SGD = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}


def labels(step: int) -> Tensor:
    return torch.tensor([step % CLASSES, (5 * step + 1) % CLASSES])


def pull(rows: Tensor) -> Tensor:
    """A loss of these rows whose gradient is 2 w + 1."""
    return (rows**2).sum() + rows.sum()


def test_the_classes_of_the_batch_are_always_sampled_and_exactly_a_tenth_of_all() -> None:
    fc = PartialFC(1000, (DIM,), sample_rate=0.1, seed=4)
    optimizer = torch.optim.SGD(fc.parameters(), lr=0.1)
    for step in range(20):
        label = torch.tensor([0, 999, step, 500])
        fc.begin_update(label, step, optimizer)
        torch.testing.assert_close(fc.rows_in_use()[fc.columns_of(label)], fc.rows[label])
        assert fc.sampled is not None
        absent = torch.tensor([c for c in range(1000) if c not in set(fc.sampled.tolist())])
        assert (fc.columns_of(absent) == -1).all()
        assert len(fc.sampled) == 100
        fc.end_update(optimizer)


def test_a_sparse_step_is_sgd_on_each_sampled_row_with_its_own_momentum() -> None:
    fc = PartialFC(CLASSES, (DIM,), sample_rate=0.3, update="sparse", seed=1)
    optimizer = torch.optim.SGD(fc.parameters(), **SGD)
    rows = [row.tolist() for row in fc.rows]
    momentum = [[0.0] * DIM for _ in range(CLASSES)]
    times = [0] * CLASSES
    for step in range(STEPS):
        fc.begin_update(labels(step), step, optimizer)
        assert fc.sampled is not None
        for c in fc.sampled.tolist():
            times[c] += 1
            for d in range(DIM):
                gradient = 2 * rows[c][d] + 1 + SGD["weight_decay"] * rows[c][d]
                momentum[c][d] = SGD["momentum"] * momentum[c][d] + gradient
                rows[c][d] -= SGD["lr"] * momentum[c][d]
        pull(fc.rows_in_use()).backward()
        optimizer.step()
        fc.end_update(optimizer)
    assert min(times) < STEPS
    assert max(times) > 1
    torch.testing.assert_close(fc.all_rows(), torch.tensor(rows))
    torch.testing.assert_close(fc.optimizer_rows["momentum_buffer"], torch.tensor(momentum))


def test_a_dense_step_changes_rows_outside_the_sample_by_decay_and_momentum() -> None:
    fc = PartialFC(CLASSES, (DIM,), sample_rate=0.3, update="dense", seed=1)
    optimizer = torch.optim.SGD(fc.parameters(), **SGD)
    slow = fc.weight.detach().clone()
    momentum = torch.zeros_like(slow)
    for step in range(STEPS):
        fc.begin_update(labels(step), step, optimizer)
        is_sampled = torch.zeros(CLASSES, 1)
        is_sampled[fc.sampled] = 1
        momentum = 0.9 * momentum + is_sampled * (2 * slow + 1) + 0.05 * slow
        slow = slow - 0.1 * momentum
        optimizer.zero_grad()
        pull(fc.rows_in_use()).backward()
        optimizer.step()
        fc.end_update(optimizer)
    torch.testing.assert_close(fc.all_rows(), slow)


@pytest.mark.parametrize("sample_rate", [1.0, 0.3])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "fused adamw"])
def test_a_training_continued_from_a_loaded_state_ends_the_same(sample_rate: float, optimizer: str) -> None:
    def build() -> tuple[PartialFC, torch.optim.Optimizer]:
        fc = PartialFC(CLASSES, (DIM,), sample_rate=sample_rate, seed=1)
        if optimizer == "sgd":
            return fc, torch.optim.SGD(fc.parameters(), **SGD)
        fused = True if optimizer == "fused adamw" else None  # as on a GPU: it counts steps in a tensor there
        return fc, torch.optim.AdamW(fc.parameters(), lr=0.05, weight_decay=0.1, fused=fused)

    def train(fc: PartialFC, optimizer: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            fc.begin_update(labels(step), step, optimizer)
            optimizer.zero_grad()
            pull(fc.rows_in_use()).backward()
            optimizer.step()
            fc.end_update(optimizer)

    once, other = build(), build()
    train(*once, range(STEPS))
    train(*other, range(3))
    state = other[0].whole_state(other[1])
    assert all(len(value) == CLASSES for value in state.values() if value.ndim)
    again = build()
    again[0].load_whole_state(state, again[1])
    train(*again, range(3, STEPS))
    assert torch.equal(again[0].all_rows(), once[0].all_rows())
    for name, value in once[0].whole_state(once[1]).items():
        assert torch.equal(again[0].whole_state(again[1])[name], value), name


def test_weights_start_small_and_differ() -> None:
    w = PartialFC(200, (DIM,), seed=3).weight.detach()
    assert w.std().item() == pytest.approx(0.01, rel=0.1)
    assert len(w.unique()) > 590


def test_settings_out_of_range_raise_one_line() -> None:
    with pytest.raises(UserError, match="sample_rate 0"):
        PartialFC(CLASSES, (DIM,), sample_rate=0)
    with pytest.raises(UserError, match="update 'both'"):
        PartialFC(CLASSES, (DIM,), update="both")
    with pytest.raises(RuntimeError, match="without begin_update"):
        PartialFC(CLASSES, (DIM,), sample_rate=0.5).rows_in_use()
    fc = PartialFC(CLASSES, (DIM,))
    with pytest.raises(UserError, match=r"has the shape \(11, 3\), this run's \(12, 3\)"):
        fc.load_whole_state({"weight": torch.zeros(11, DIM)}, torch.optim.SGD(fc.parameters(), lr=0.1))
