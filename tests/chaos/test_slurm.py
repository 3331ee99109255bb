"""A refinement whose workers are jobs of a real Slurm, by the job script of cluster.md; one is lost in the middle."""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.refine.flow import refine
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.sample.world import draw_world
from pipeline.tables import build as builder
from tests.builders.file_trees import file_bytes
from tests.builders.slurm import PATH, Slurm, missing, slurm
from tests.chaos.dask_processes import HERE, dask_processes, when

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("REFINERY_EVERYTHING" not in os.environ, reason="Slurm wants a machine with nothing else to do"),
    pytest.mark.skipif(bool(missing()), reason=f"Slurm (slurm-wlm, munge) is not installed: no {', '.join(missing())}"),
]
SHARDS = 24


def script(folder: Path) -> Path:
    """The job script of cluster.md, as it stands there."""
    found = re.search(r"```bash\n(#!/bin/bash\n#SBATCH.*?)```", (HERE / "flows/cluster.md").read_text(), re.DOTALL)
    assert found is not None
    (folder / "workers.sh").write_text(found[1])
    return folder / "workers.sh"


def lose_one(jobs: Slurm, root: Path) -> tuple[int, list[str]]:
    """Kill a job when a few shards of faces are there; how many were there then, and which jobs stayed."""
    when(lambda: len(list(root.glob("faces/*/*.parquet"))) >= 3, "no faces are made")
    jobs.run("scancel", "--full", "--signal=KILL", jobs.running()[0])
    there = len(list(root.glob("faces/*/*.parquet")))
    when(lambda: len(jobs.running()) < 2, "the job does not end")
    return there, jobs.running()


def test_a_job_is_killed_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    draw_world(tmp_path / "world", people=12, photos=240, workers=1)
    source = ["image-folder", str(tmp_path / "world/photos")]
    models = {"detector": str(DETECTOR), "embedder": str(EMBEDDER)}
    alone, root = tmp_path / "alone", tmp_path / "root"
    refine.fn(source, root=str(alone), shards=SHARDS, workers="2", **models)
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{PATH}", "PYTHONPATH": str(HERE)}
    with dask_processes(tmp_path / "cluster", 0) as none, slurm(**environment) as jobs, ThreadPoolExecutor(1) as pool:
        jobs.run("sbatch", "--array=1-2", str(script(tmp_path)), none.address)
        client = builder.connect(none.address)
        client.wait_for_workers(2, timeout=120)
        lost = pool.submit(lose_one, jobs, root)
        refine.fn(source, root=str(root), shards=SHARDS, workers=none.address, **models)
        there, stayed = lost.result()
        assert there < SHARDS
        assert len(stayed) == len(client.scheduler_info()["workers"]) == 1
        client.close(timeout=2)
    assert file_bytes(root) == file_bytes(alone)
    assert latest(str(root)).labels.read().num_rows == 240
