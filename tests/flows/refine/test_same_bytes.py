"""The same bytes on any number of workers, and after a kill in the middle."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.file_trees import file_bytes
from tests.builders.small_world import World

pytestmark = [pytest.mark.material, pytest.mark.slow]


def test_one_and_three_workers_give_the_bytes_of_threads(few: World, few_refined: Path, tmp_path: Path) -> None:
    expected = file_bytes(few_refined)
    assert len(expected) > 8
    for workers in ("1", "3"):
        few.refine(tmp_path / workers, workers=workers, shards=8)
        assert file_bytes(tmp_path / workers) == expected


@pytest.mark.parametrize(("table", "shards"), [("faces", 3), ("embeddings", 2), ("clusters", 1)])
def test_killed_and_run_again_gives_the_bytes_of_an_undisturbed_run(
    few: World, few_refined: Path, tmp_path: Path, table: str, shards: int
) -> None:
    root = tmp_path / "root"
    request = {"source": ["image-folder", str(few.photos)], "root": str(root), "shards": 8, **few.models}
    code = (
        "import json, signal, sys\n"
        "from flows.refine.flow import refine\n"
        "from tests.builders.processes.signal_itself import signal_at_shard\n"
        f"signal_at_shard({table!r}, {shards}, signal.SIGKILL)\n"
        "refine.fn(**json.loads(sys.argv[1]))"
    )
    killed = subprocess.run([sys.executable, "-c", code, json.dumps(request)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (root / "refinement.json").exists()
    before = {n: (root / n).stat().st_mtime_ns for n in file_bytes(root)}
    assert shards <= sum(n.startswith(f"{table}/") for n in before) < 8
    few.refine(root, shards=8)
    assert file_bytes(root) == file_bytes(few_refined)
    assert {n: (root / n).stat().st_mtime_ns for n in before} == before, "what was there is not made again"
