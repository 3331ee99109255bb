"""Builds on a cluster of real worker processes that are killed, hang, or run out of memory during the work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.benchmark import world
from pipeline.errors import UserError
from pipeline.tables import run_dask
from pipeline.tables.build import ShardError, build
from tests.builders.file_trees import file_bytes
from tests.chaos.cluster import cluster
from tests.chaos.dask_processes import Processes, dask_processes
from tests.chaos.shards import MADE_BY, deadly_shard, greedy_shard, slow_shard, worker_shard

pytestmark = pytest.mark.cluster


@contextmanager
def connected(folder: Path, workers: int, *words: str) -> Iterator[tuple[Processes, Any]]:
    """A cluster whose workers have all joined, and a client of it."""
    with dask_processes(folder, workers, *words) as processes:
        client = run_dask.connect(processes.address)
        client.wait_for_workers(workers)
        yield processes, client
        client.close(timeout=2)


def test_bytes_are_the_same_when_two_workers_die_and_one_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "FACES_A_SHARD", 200)  # eight shards
    result = cluster(str(tmp_path / "out"), identities=60, faces=1600, dim=64, patience=4)
    assert (result.runs["undisturbed"].killed, result.runs["undisturbed"].hung) == (0, 0)
    assert (result.runs["disturbed"].killed, result.runs["disturbed"].hung) == (2, 1)
    assert result.files > 80
    undisturbed, disturbed = (file_bytes(tmp_path / "out" / run) for run in ("undisturbed", "disturbed"))
    assert len(undisturbed) == result.files
    assert undisturbed == disturbed
    (line,) = result.lines()
    assert "have the same bytes" in line
    with pytest.raises(UserError, match="is not empty"):
        cluster(str(tmp_path / "out"))
    with pytest.raises(UserError, match="one worker at least must stay"):
        cluster(str(tmp_path / "other"), workers=3)


def test_a_worker_that_runs_out_of_memory_is_started_again(tmp_path: Path) -> None:
    with connected(tmp_path / "cluster", 2, "--nanny", "--memory-limit", "600MB") as (processes, _):
        options = {"schema": MADE_BY, "workers": processes.address, "params": {"folder": str(tmp_path)}}
        table = build(str(tmp_path / "r"), "t", greedy_shard, list(range(6)), **options)
        assert table.read()["made_by"].to_pylist() == list("012345")
    assert any("exceeded 95% memory budget" in log.read_text() for log in (tmp_path / "cluster").glob("w*.log"))


def test_shards_with_resource_gpu_are_made_by_workers_that_offer_one(tmp_path: Path) -> None:
    with connected(tmp_path / "cluster", 2) as (processes, client):
        options = {"schema": MADE_BY, "workers": processes.address}
        without_gpu = build(str(tmp_path / "a"), "t", worker_shard, list(range(4)), resource="GPU", **options)
        assert len(without_gpu) == 4
        processes.add(1, "--resources", "GPU=1")
        client.wait_for_workers(3)
        with_gpu = build(str(tmp_path / "b"), "t", worker_shard, list(range(12)), resource="GPU", **options)
        assert set(with_gpu.read()["made_by"].to_pylist()) == {"w2"}
        anywhere = build(str(tmp_path / "c"), "t", worker_shard, list(range(40)), **options)
        assert len(set(anywhere.read()["made_by"].to_pylist())) > 1


def test_a_shard_that_ends_every_worker_is_named_in_the_error(tmp_path: Path) -> None:
    message = r"shard 0 of table t \(from 3\): several workers died .* memory"
    with connected(tmp_path / "cluster", 5) as (processes, _), pytest.raises(ShardError, match=message):
        build(str(tmp_path / "r"), "t", deadly_shard, [3], schema=MADE_BY, workers=processes.address)


def test_a_scheduler_that_goes_away_is_one_line(tmp_path: Path) -> None:
    with connected(tmp_path / "cluster", 1) as (processes, _):
        threading.Timer(2.0, processes.scheduler.kill).start()
        options = {"schema": MADE_BY, "workers": processes.address, "params": {"pause": 1.0}}
        with pytest.raises(UserError, match=r"the Dask scheduler at tcp://.* no longer answers"):
            build(str(tmp_path / "r"), "t", slow_shard, list(range(8)), **options)
