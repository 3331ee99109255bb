"""Fixtures of the tests against a real Label Studio: server, annotators, and a proxy that causes faults."""

from collections.abc import Iterator

import pytest

from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.records import Server
from tests.builders.label_studio.fault_proxy import Proxy
from tests.builders.label_studio.label_server import connection
from tests.builders.label_studio.simulated_annotators import Annotator


@pytest.fixture(scope="module")
def server(label_server: LocalServer) -> Server:
    return connection(label_server)


@pytest.fixture(scope="module")
def ada(label_server: LocalServer) -> Annotator:
    return Annotator(label_server.url, "ada@example.org")


@pytest.fixture(scope="module")
def grace(label_server: LocalServer) -> Annotator:
    return Annotator(label_server.url, "grace@example.org")


@pytest.fixture
def proxy(label_server: LocalServer) -> Iterator[Proxy]:
    with Proxy(label_server.url) as between:
        yield between
