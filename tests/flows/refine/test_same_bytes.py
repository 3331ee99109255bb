"""The same bytes on any number of workers, and after a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders.file_trees import file_bytes
from tests.builders.small_world import World

pytestmark = pytest.mark.material


def test_one_two_and_four_workers_give_the_same_bytes(few: World, few_refined: Path, tmp_path: Path) -> None:
    for workers in ("1", "2", "4"):
        few.refine(tmp_path / workers, workers=workers, shards=8)
        assert file_bytes(tmp_path / workers) == file_bytes(few_refined)


@pytest.mark.parametrize("line", ["faces: 3 of", "embeddings: 2 of", "clusters: 1 of"])
def test_killed_and_run_again_gives_the_bytes_of_an_undisturbed_run(
    few: World, few_refined: Path, tmp_path: Path, line: str
) -> None:
    root = tmp_path / "root"
    given = {"source": ["image-folder", str(few.photos)], "root": str(root), "shards": 8, **few.models}
    code = (
        "import json, logging, sys; logging.basicConfig(level=logging.INFO, format='%(message)s')\n"
        "from flows.refine.flow import refine; refine.fn(**json.loads(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, json.dumps(given)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        assert any(line in heard for heard in started.stderr), "it must be killed in the middle"
        os.kill(started.pid, signal.SIGKILL)
    assert not (root / "refinement.json").exists()
    before = {n: (root / n).stat().st_mtime_ns for n in file_bytes(root)}
    assert before
    time.sleep(0.01)
    few.refine(root, shards=8)
    assert file_bytes(root) == file_bytes(few_refined)
    assert {n: (root / n).stat().st_mtime_ns for n in before} == before, "what was there is not made again"
