"""Fixtures of several test modules: a small data set, and the result of a short training on it."""

from pathlib import Path

import pytest

from tests.builders.photos import exported_faces
from tests.builders.processes.trainings import RUN
from trainer.train import TrainingResult, train


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported_faces.parquet(tmp_path_factory.mktemp("data") / "export", 8, 8)


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return train(RUN, data, tmp_path_factory.mktemp("trained") / "out", device="cpu", log_every=1)
