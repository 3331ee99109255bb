"""What all tests share: where the real photos and models lie, when they are there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from distributed import Client

from pipeline import build as builder


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real photos and models that REFINERY_MATERIAL names."""
    folder = os.environ.get("REFINERY_MATERIAL")
    if not folder:
        pytest.skip("REFINERY_MATERIAL is not set")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests against the real mxnet install 430 MB of their own: they run where REFINERY_MXNET is set."""
    for item in items:
        if item.get_closest_marker("mxnet") and not os.environ.get("REFINERY_MXNET"):
            item.add_marker(pytest.mark.skip(reason="REFINERY_MXNET is not set"))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Torch computes on one thread: several that wait for each other crawl where anything else is running."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def no_workers_left() -> Iterator[None]:
    """Worker processes end with the file that began them: idle ones of many files take a core."""
    yield
    for client in [c for c in Client._instances if c.status == "running"]:
        cluster = client.cluster
        client.close(timeout=5)
        if cluster is not None:
            cluster.close(timeout=10)
    builder.connect.cache_clear()
