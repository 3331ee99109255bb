"""The same bytes on any number of workers, and after a kill in the middle."""

import signal
from pathlib import Path
from typing import Any

import pytest

from flows.refine.flow import refine
from tests.builders.file_trees import file_bytes
from tests.builders.processes import forked
from tests.builders.processes.signal_itself import signal_at_shard
from tests.builders.small_world import World

pytestmark = [pytest.mark.material, pytest.mark.slow]


def test_three_workers_give_the_bytes_of_threads(few: World, few_refined: Path, tmp_path: Path) -> None:
    expected = file_bytes(few_refined)
    assert len(expected) > 8
    few.refine(tmp_path / "root", workers="3", shards=8)
    assert file_bytes(tmp_path / "root") == expected


def refine_until_killed(request: dict[str, Any], table: str, shards: int) -> None:
    """Refine in this process, which kills itself when it has written some shards of a table."""
    signal_at_shard(table, shards, signal.SIGKILL)
    refine.fn(**request)


@pytest.mark.parametrize(("table", "shards"), [("faces", 3), ("embeddings", 2), ("clusters", 1)])
def test_killed_and_run_again_gives_the_bytes_of_an_undisturbed_run(
    few: World, few_refined: Path, tmp_path: Path, table: str, shards: int
) -> None:
    root = tmp_path / "root"
    request = {"source": ["image-folder", str(few.photos)], "root": str(root), "shards": 8, **few.models}
    status, output = forked.start(refine_until_killed, request, table, shards, log=tmp_path / "log").wait()
    assert status == -signal.SIGKILL, output
    assert not (root / "refinement.json").exists()
    before = {n: (root / n).stat().st_mtime_ns for n in file_bytes(root)}
    assert shards <= sum(n.startswith(f"{table}/") for n in before) < 8
    few.refine(root, shards=8)
    assert file_bytes(root) == file_bytes(few_refined)
    assert {n: (root / n).stat().st_mtime_ns for n in before} == before, "what was there is not made again"
