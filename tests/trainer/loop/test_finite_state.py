"""A training whose numbers are no longer finite stops before a checkpoint holds them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from tests.builders.processes.trainings import SMALL
from trainer import checkpoint
from trainer.data.batches import BatchStream
from trainer.data.data_set import open_faces
from trainer.loop.finite_state import check_finite_state, finite_number
from trainer.loop.learner import Learner, make_learner
from trainer.loop.update import update
from trainer.train import train

pytestmark = pytest.mark.slow

PLACES: dict[str, Callable[[Learner], torch.Tensor]] = {
    "a weight": lambda learner: next(learner.net.parameters()),
    "a running variance": lambda learner: learner.net.get_buffer("head.norm.running_var"),
    "a class's weight": lambda learner: learner.objective.get_buffer("fc.rows"),
    "a class centre": lambda learner: learner.objective.get_buffer("centres.rows"),
    "the momentum of a weight": lambda learner: next(iter(learner.optimizers[0].state.values()))["momentum_buffer"],
    "the momentum of a class": lambda learner: learner.objective.fc.optimizer_rows["momentum_buffer"],
}


@pytest.fixture(scope="module")
def learner(data: Path) -> Learner:
    """A learner after one update, with a sampled classifier and class centres."""
    run = replace(SMALL, optimizer="sgd", sample_rate=0.5, loss="arcface+centre")
    learner = make_learner(run, 8, torch.device("cpu"))
    update(run, learner, iter(BatchStream(open_faces(data), run)), 0)
    return learner


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_number_that_is_not_finite_is_found_in_everything_that_a_checkpoint_holds(
    learner: Learner, place: Callable[[Learner], torch.Tensor], value: float
) -> None:
    check_finite_state(SMALL, learner, 7)
    numbers = place(learner).detach()
    last = (-1,) * numbers.ndim
    before = numbers[last].item()
    numbers[last] = value
    try:
        with pytest.raises(UserError, match="the weights are no longer finite at step 7: try a lower --lr than"):
            check_finite_state(SMALL, learner, 7)
    finally:
        numbers[last] = before


def test_the_advice_names_another_precision_where_half_precision_is_used() -> None:
    assert finite_number(torch.tensor(2.5), SMALL, 3, subject="loss is") == 2.5
    with pytest.raises(UserError, match=r"loss is no longer finite at step 3: .*--precision bf16"):
        finite_number(torch.tensor(torch.nan), replace(SMALL, precision="fp16"), 3, subject="loss is")


def test_weights_that_an_update_made_infinite_are_not_written_into_a_checkpoint(data: Path, tmp_path: Path) -> None:
    """The loss of the update is finite: it was computed before."""
    run = replace(SMALL, optimizer="sgd", lr=1e-3, clip=0.0, warmup=0, steps=2)
    train(replace(run, steps=1), data, tmp_path / "one step", device="cpu")
    with pytest.raises(UserError, match="the weights are no longer finite at step 1"):
        train(replace(run, lr=1e38), data, tmp_path / "out", device="cpu", checkpoint_every=1)
    assert not (tmp_path / "out/last.pt").exists()
    assert all(t.isfinite().all() for t in checkpoint.load(tmp_path / "one step/last.pt").backbone.values())
