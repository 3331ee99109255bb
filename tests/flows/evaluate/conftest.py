"""What the tests of evaluations share."""

from pathlib import Path

import pytest

from tests.builders.channel_mean_model import channel_mean_model


@pytest.fixture
def embedder(tmp_path: Path) -> str:
    """An embedder whose vectors can be computed by hand."""
    return channel_mean_model(tmp_path / "colour.onnx", shape=["n", 3, 112, 112])
