"""A refinement on workers that are jobs of a real Slurm, by the job script of cluster.md; one job is killed."""

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
from pipeline.tables import run_dask
from tests.builders.file_trees import file_bytes
from tests.builders.processes.slurm import PATH, Slurm, missing, slurm
from tests.builders.processes.waiting import wait_until
from tests.chaos.dask_processes import HERE, dask_processes

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=f"Slurm (slurm-wlm, munge) is not installed: no {', '.join(missing())}"),
]
SHARDS = 24


def job_script(folder: Path) -> Path:
    """The job script of flows/guides/cluster.md, written to a file."""
    text = (HERE / "flows/guides/cluster.md").read_text()
    script = re.search(r"```bash\n(#!/bin/bash\n#SBATCH.*?)```", text, re.DOTALL)
    assert script is not None
    (folder / "workers.sh").write_text(script[1])
    return folder / "workers.sh"


def kill_a_job(jobs: Slurm, root: Path) -> tuple[int, list[str]]:
    """Kill a job once three shards of faces are made; return how many shards there were, and the jobs still running."""
    wait_until(lambda: len(list(root.glob("faces/*/*.parquet"))) >= 3, "no faces are made")
    jobs.run("scancel", "--full", "--signal=KILL", jobs.running()[0])
    shards = len(list(root.glob("faces/*/*.parquet")))
    wait_until(lambda: len(jobs.running()) < 2, "the job does not end")
    return shards, jobs.running()


def test_bytes_are_the_same_when_a_job_is_killed(tmp_path: Path) -> None:
    draw_world(tmp_path / "world", people=12, photos=240, workers=1)
    source = ["image-folder", str(tmp_path / "world/photos")]
    models = {"detector": str(DETECTOR), "embedder": str(EMBEDDER)}
    expected, root = tmp_path / "expected", tmp_path / "root"
    refine.fn(str(expected), source, shards=SHARDS, workers="2", **models)
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{PATH}", "PYTHONPATH": str(HERE)}
    with (
        dask_processes(tmp_path / "cluster", 0) as processes,
        slurm(**environment) as jobs,
        ThreadPoolExecutor(1) as pool,
    ):
        jobs.run("sbatch", "--array=1-2", str(job_script(tmp_path)), processes.address)
        client = run_dask.connect(processes.address)
        client.wait_for_workers(2, timeout=120)
        killed = pool.submit(kill_a_job, jobs, root)
        refine.fn(str(root), source, shards=SHARDS, workers=processes.address, **models)
        shards, jobs_left = killed.result()
        assert shards < SHARDS
        assert len(jobs_left) == len(client.scheduler_info()["workers"]) == 1
        client.close(timeout=2)
    assert len(file_bytes(root)) > SHARDS
    assert file_bytes(root) == file_bytes(expected)
    assert latest(str(root)).labels.read().num_rows == 240
