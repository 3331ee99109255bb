"""What all tests share: where the real photos and models lie, when they are there."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real photos and models that REFINERY_MATERIAL names."""
    folder = os.environ.get("REFINERY_MATERIAL")
    if not folder:
        pytest.skip("REFINERY_MATERIAL is not set")
    return Path(folder)
