"""One update with loss scaling: both optimizers step, or neither does."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.builders.processes.trainings import SMALL
from trainer.data.batches import BatchStream
from trainer.data.data_set import open_faces
from trainer.loop.learner import make_learner
from trainer.loop.update import step_optimizers, update


@pytest.mark.parametrize("which", [0, 1])
def test_an_overflow_keeps_backbone_and_classifier_as_they_are(data: Path, which: int) -> None:
    run = replace(SMALL, precision="fp16", optimizer="sgd")
    learner = make_learner(run, 8, torch.device("cpu"))
    stream = iter(BatchStream(open_faces(data), run))
    update(run, learner, stream, 0)

    def values() -> list[torch.Tensor]:
        return [p.detach().clone() for o in learner.optimizers for g in o.param_groups for p in g["params"]]

    before, scale = values(), learner.scaler.get_scale()
    grads = [p.grad for p in learner.optimizers[which].param_groups[0]["params"] if p.grad is not None]
    grads[-1].view(-1)[0] = torch.inf
    step_optimizers(run, learner)
    assert all(torch.equal(a, b) for a, b in zip(before, values(), strict=True))
    assert learner.scaler.get_scale() == scale / 2
    for step in range(1, 12):  # the loss scale falls until nothing overflows
        update(run, learner, stream, step)
    assert not any(torch.equal(a, b) for a, b in zip(before, values(), strict=True) if a.ndim > 1)
