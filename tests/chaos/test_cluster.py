"""A cluster of real worker processes that die and hang in the middle of the work, on a path and on an object store."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pytest
from distributed import get_worker
from moto.server import ThreadedMotoServer

from flows.benchmark import world
from pipeline.errors import UserError
from pipeline.tables import build as builder
from pipeline.tables import storage
from pipeline.tables.build import ShardError, build
from tests.builders.file_trees import file_bytes
from tests.builders.label_server import free_port
from tests.chaos.dask_processes import dask_processes
from tests.chaos.run_cluster import cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "REFINERY_EVERYTHING" not in os.environ, reason="a cluster wants a machine with nothing else to do"
    ),
]
WHO = pa.schema([("who", pa.string())])


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small drawn world in eight shards."""
    monkeypatch.setattr(world, "FACES_A_SHARD", 200)


def test_two_die_and_one_hangs_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    found = cluster(str(tmp_path / "out"), identities=60, faces=1600, dim=64, patience=4)
    assert found.runs["undisturbed"][1:] == (0, 0)
    assert found.runs["disturbed"][1:] == (2, 1)
    assert found.files > 80
    made = [file_bytes(tmp_path / "out" / run) for run in found.runs]
    assert made[0] == {name: data for name, data in made[1].items() if not name.endswith(".tmp")}
    (line,) = found.lines()
    assert "have the same bytes" in line
    with pytest.raises(UserError, match="is not empty"):
        cluster(str(tmp_path / "out"))
    with pytest.raises(UserError, match="one worker at least must stay"):
        cluster(str(tmp_path / "other"), workers=3)


class Store:
    """An S3-compatible store on loopback that can go away and come back with what it holds."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.come()

    def come(self) -> None:
        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def go(self) -> None:
        self.server.stop()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store, and the environment by which everything finds it."""
    made = Store()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": made.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = boto3.resource("s3", endpoint_url=made.url).Bucket("faces")
    bucket.create()
    yield made
    bucket.objects.all().delete()
    bucket.delete()
    made.go()


@pytest.mark.usefixtures("store")
def test_the_same_on_an_object_store() -> None:
    found = cluster("s3://faces/out", identities=60, faces=1600, dim=64, patience=6)
    assert found.runs["disturbed"][1:] == (2, 1)
    assert found.files > 80


def test_a_store_that_is_away_for_a_while_is_waited_for(store: Store) -> None:
    made = build("s3://faces/away", "t", slow, list(range(3)), schema=WHO, pause=0.1)
    store.go()
    threading.Timer(4.0, store.come).start()
    start = time.monotonic()
    assert made.read().num_rows == 3
    assert time.monotonic() - start > 2
    store.go()
    threading.Timer(4.0, store.come).start()
    assert len(build("s3://faces/away", "t", slow, list(range(6)), schema=WHO, pause=0.1)) == 6


def test_a_store_that_stays_away_is_one_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PATIENCE_S", 2.0)
    store.go()
    try:
        with pytest.raises(UserError, match="cannot"):
            build("s3://faces/away", "t", slow, [1], schema=WHO, pause=0.0)
    finally:
        store.come()


def slow(part: int, *, pause: float) -> pa.Table:
    """Who made it, after a pause."""
    time.sleep(pause)
    return pa.table({"who": [f"{part}"]})


def who(part: int) -> pa.Table:
    """The worker's name."""
    del part
    return pa.table({"who": [str(get_worker().name)]})


def deadly(part: int) -> pa.Table:
    """The end of whatever process makes it."""
    os._exit(part)


def greedy(part: int, *, folder: str) -> pa.Table:
    """The part's number; the first time that the second is made it takes more and more memory."""
    told = Path(folder, "told")
    if part == 1 and not told.exists():
        told.touch()
        held = []
        while len(held) < 40:
            held.append(np.ones(5_000_000))  # 40 MB
            time.sleep(0.1)
    return pa.table({"who": [f"{part}"]})


def test_a_worker_that_runs_out_of_memory_is_begun_again(tmp_path: Path) -> None:
    limited = ("--nanny", "--memory-limit", "600MB")
    with dask_processes(tmp_path / "cluster", 2, *limited) as two:
        client = builder.connect(two.address)
        client.wait_for_workers(2)
        given = {"schema": WHO, "workers": two.address, "folder": str(tmp_path)}
        made = build(str(tmp_path / "r"), "t", greedy, list(range(6)), **given)
        assert made.read()["who"].to_pylist() == list("012345")
        client.close(timeout=2)
    assert any("exceeded 95% memory budget" in log.read_text() for log in (tmp_path / "cluster").glob("w*.log"))


def test_what_wants_a_gpu_is_made_where_one_is_offered(tmp_path: Path) -> None:
    with dask_processes(tmp_path / "cluster", 2) as few:
        without = build(str(tmp_path / "a"), "t", who, list(range(4)), schema=WHO, workers=few.address, wants="GPU")
        assert len(without) == 4
        few.add(1, "--resources", "GPU=1")
        client = builder.connect(few.address)
        client.wait_for_workers(3)
        made = build(str(tmp_path / "b"), "t", who, list(range(12)), schema=WHO, workers=few.address, wants="GPU")
        assert set(made.read()["who"].to_pylist()) == {"w2"}
        everyone = build(str(tmp_path / "c"), "t", who, list(range(40)), schema=WHO, workers=few.address)
        assert len(set(everyone.read()["who"].to_pylist())) > 1
        client.close(timeout=2)


def test_a_shard_that_no_worker_survives_is_named(tmp_path: Path) -> None:
    with dask_processes(tmp_path / "cluster", 5) as five:
        client = builder.connect(five.address)
        client.wait_for_workers(5)
        with pytest.raises(
            ShardError, match=r"shard 0 of table t \(from 3\): one worker after the other died .* memory"
        ):
            build(str(tmp_path / "r"), "t", deadly, [3], schema=WHO, workers=five.address)
        client.close(timeout=2)


def test_a_scheduler_that_goes_away_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dask_processes(tmp_path / "cluster", 1) as one:
        client = builder.connect(one.address)
        threading.Timer(2.0, one.scheduler.kill).start()
        with pytest.raises(UserError, match=r"the Dask scheduler at tcp://.* went away"):
            build(str(tmp_path / "r"), "t", slow, list(range(8)), schema=WHO, workers=one.address, pause=1.0)
        client.close(timeout=2)
