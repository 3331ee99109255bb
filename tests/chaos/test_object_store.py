"""Tables on an S3-compatible store: the same bytes on a disturbed cluster; waiting for a store that does not answer."""

import threading
import time
from collections.abc import Iterator

import pytest

from flows.benchmark import world
from pipeline.errors import UserError
from pipeline.tables import storage
from pipeline.tables.build import build
from tests.builders.label_studio.label_server import free_port
from tests.chaos.cluster import cluster
from tests.chaos.shards import MADE_BY, slow_shard

pytestmark = pytest.mark.cluster


class Store:
    """An S3-compatible store on loopback that can be stopped, and started again with the same content."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer  # takes most of a second, and every test process reads this file

        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def stop(self) -> None:
        self.server.stop()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A running store, with its address and keys in the environment."""
    running = Store()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": running.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    import boto3

    bucket = boto3.resource("s3", endpoint_url=running.url).Bucket("faces")
    bucket.create()
    yield running
    bucket.objects.all().delete()
    bucket.delete()
    running.stop()


@pytest.mark.usefixtures("store")
def test_a_disturbed_cluster_leaves_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "FACES_A_SHARD", 200)  # eight shards
    result = cluster("s3://faces/out", identities=60, faces=1600, dim=64, patience=6)
    assert (result.runs["disturbed"].killed, result.runs["disturbed"].hung) == (2, 1)
    assert result.files > 80


def test_a_store_that_is_away_for_a_while_is_waited_for(store: Store) -> None:
    table = build("s3://faces/away", "t", slow_shard, list(range(3)), schema=MADE_BY, params={"pause": 0.1})
    store.stop()
    threading.Timer(4.0, store.start).start()
    started = time.monotonic()
    assert table.read().num_rows == 3
    assert time.monotonic() - started > 2, "the store was stopped"
    store.stop()
    threading.Timer(4.0, store.start).start()
    assert len(build("s3://faces/away", "t", slow_shard, list(range(6)), schema=MADE_BY, params={"pause": 0.1})) == 6


def test_a_store_that_stays_away_is_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "RETRY_S", 2.0)
    store.stop()
    try:
        with pytest.raises(UserError, match="cannot"):
            build("s3://faces/away", "t", slow_shard, [1], schema=MADE_BY, params={"pause": 0.0})
    finally:
        store.start()
