"""Learners: the run's settings are passed on to the objective."""

from dataclasses import replace

import torch

from tests.builders.processes.trainings import SMALL
from trainer.loop.learner import make_learner


def test_the_runs_update_field_decides_whether_the_classifier_is_sparse() -> None:
    for kind in ("sparse", "dense"):
        fc = make_learner(replace(SMALL, sample_rate=0.5, update=kind), 8, torch.device("cpu")).objective.fc
        assert fc is not None
        assert fc.sparse == (kind == "sparse")
