"""Commands as processes of their own: with a real Prefect server, and ended by Ctrl-C."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from flows.prefect_runtime.artifacts import artifact_key
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.processes.command_line import COMMAND, options
from tests.builders.processes.waiting import wait_until
from tests.builders.small_world import World

STOPPED = "refinery: stopped; what is finished stays, and the same command goes on from there"


def test_worker_processes_load_nothing_of_the_command_that_starts_them() -> None:
    code = "import sys, flows.cli.console; print([m for m in ('prefect', 'torch', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.material
@pytest.mark.slow
def test_the_command_with_a_real_prefect_server_leaves_a_run_and_its_account(
    few: World, few_refined: Path, prefect_home: Path
) -> None:
    environment = {**os.environ, "PREFECT_HOME": str(prefect_home)}
    words = [str(w) for w in options(few.models, shards=8)]
    command = [*COMMAND, "refine", str(few_refined), "image-folder", str(few.photos), *words, "--prefect", "--json"]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["account"]["ingested"] == len(few.truth)
    # read where the server keeps it: a second server, to be asked, takes ten seconds to start
    with closing(sqlite3.connect(prefect_home / "prefect.db")) as database:
        states = [name for (name,) in database.execute("select state_name from flow_run")]
        artifacts = sorted(key for (key,) in database.execute("select key from artifact"))
        tasks = {(n.rsplit("-", 1)[0], s) for n, s in database.execute("select name, state_name from task_run")}
    assert states == ["Completed"]
    assert artifacts == [artifact_key(kind, str(few_refined)) for kind in ("account", "refinement")]
    assert {name for name, _ in tasks} >= {"photos", "faces", "embeddings", "noise", "label"}
    assert {state for _, state in tasks} == {"Completed"}
    assert "has not recorded" not in finished.stderr


@pytest.mark.slow
@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_a_second_ctrl_c_prints_nothing_more(drawn_world: Path, tmp_path: Path, pause_s: float) -> None:
    words = [str(w) for w in options({"detector": str(DETECTOR), "embedder": str(EMBEDDER)}, workers=1, shards=6)]
    command = [*COMMAND, "refine", str(tmp_path / "root"), "image-folder", str(drawn_world / "photos"), *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as begun:
        wait_until(lambda: any((tmp_path / "root/photos").glob("*/*.parquet")), "no photos are listed")
        try:
            for _ in range(3):
                os.killpg(begun.pid, signal.SIGINT)
                time.sleep(pause_s)
            _, err = begun.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(begun.pid, signal.SIGKILL)
    assert begun.returncode == 130
    assert "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("refinery: ")] in ([], [STOPPED])


@pytest.mark.material
@pytest.mark.slow
def test_ctrl_c_of_a_terminal_ends_the_command_and_its_workers_which_print_nothing(
    few: World, tmp_path: Path, prefect_home: Path
) -> None:
    # a Prefect server that has gone is asked for over ten minutes: the command must not ask it
    environment = {**os.environ, "PREFECT_HOME": str(prefect_home), "PREFECT_CLIENT_MAX_RETRIES": "60"}
    refine_options = [str(w) for w in options(few.models, workers=2, shards=8)]
    command = [
        *COMMAND,
        "refine",
        str(tmp_path / "root"),
        "image-folder",
        str(few.photos),
        *refine_options,
        "--prefect",
    ]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True) as begun:
        assert begun.stderr is not None
        wait_until(lambda: any((tmp_path / "root/faces").glob("*/*.parquet")), "no faces are made", seconds=300)
        os.killpg(begun.pid, signal.SIGINT)
        try:
            _, err = begun.communicate(timeout=300)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(begun.pid, signal.SIGKILL)
    assert err.splitlines()[-1] == STOPPED
    begins = r"detection, embedding and search on |starting a Prefect server|[\w-]+: \d+ (of \d+ shards|files ignored)"
    ours = re.compile(rf"\d\d:\d\d:\d\d ({begins})")
    assert [line for line in err.splitlines()[:-1] if not ours.match(line)] == []
    assert begun.returncode == 130
