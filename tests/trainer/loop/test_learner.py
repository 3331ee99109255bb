"""Learners: the run's settings are passed on to the objective."""

from dataclasses import replace

import pytest
import torch

from pipeline.errors import UserError
from pipeline.faces.accelerator import devices
from pipeline.faces.accelerator.devices import device_choice
from tests.builders.processes.trainings import SMALL
from trainer.loop import learner
from trainer.loop.learner import choose_device, make_learner


def test_the_runs_update_field_decides_whether_the_classifier_is_sparse() -> None:
    for kind in ("sparse", "dense"):
        fc = make_learner(replace(SMALL, sample_rate=0.5, update=kind), 8, torch.device("cpu")).objective.fc
        assert fc is not None
        assert fc.sparse == (kind == "sparse")


def test_cuda_is_the_card_of_the_ranks_own_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    monkeypatch.setenv("LOCAL_RANK", "63")  # of a card that no machine has, so the message names it
    with pytest.raises(UserError, match="no device cuda:63 here"):
        choose_device("cuda")
    with pytest.raises(UserError, match="64 ranks cannot share a GPU: give cuda"):
        choose_device("cuda:0")
    assert choose_device("cpu") == torch.device("cpu")


def test_without_a_name_the_device_that_was_asked_for_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learner.DEVICE == devices.DEVICE
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with device_choice("cpu"):
        assert choose_device() == torch.device("cpu")
    with device_choice("tensorrt:7"), pytest.raises(UserError, match="no device cuda:7 here"):
        choose_device()
