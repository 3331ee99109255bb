"""Trainings in separate processes: on several ranks, or to be killed before they end."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from trainer.recipes import recipe
from trainer.run import Run

RUN = replace(recipe("sample"), batch=16, steps=20, warmup=3, embedding=32)  # some seconds
SMALL = replace(RUN, input="3x48x48", batch=8)  # for trainings in separate processes
SCRIPT = """
import json, logging, signal, sys
import torch
from pathlib import Path
from tests.builders.processes.signal_itself import signal_at_line
from trainer.run import Run
from trainer.train import train
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)  # in float32 the order of sums changes the losses after a few updates
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
run, data, out, checkpoint_every, kill_at = json.loads(sys.argv[1])
if kill_at:
    signal_at_line(f"step {kill_at} of", signal.SIGKILL)
train(Run(**run), data, Path(out), device="cpu", threads=1, log_every=1, checkpoint_every=checkpoint_every)
"""


def start(
    run: Run,
    data: Path,
    out: Path,
    *,
    rank: int = 0,
    ranks: int = 1,
    port: int = 0,
    checkpoint_every: int = 1000,
    kill_at: int = 0,
):
    """Start one rank of a training as a process, which logs to standard output and kills itself at step `kill_at`."""
    arguments = json.dumps([asdict(run), str(data), str(out), checkpoint_every, kill_at])
    rank_variables = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)} if ranks > 1 else {}
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-u", "-c", SCRIPT, arguments],
        env={**os.environ, **rank_variables, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ranks(
    run: Run, data: Path, out: Path, *, count: int, checkpoint_every: int = 1000, kill_at: int = 0
) -> list[subprocess.Popen[str]]:
    """Start all ranks of a training as processes that meet on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"ranks": count, "port": port, "checkpoint_every": checkpoint_every, "kill_at": kill_at}
    return [start(run, data, out, rank=rank, **options) for rank in range(count)]


def run_ranks(run: Run, data: Path, out: Path, *, count: int, checkpoint_every: int = 1000) -> None:
    """Run a whole training on `count` ranks; a failure shows their output."""
    processes = ranks(run, data, out, count=count, checkpoint_every=checkpoint_every)
    output = [p.communicate(timeout=300)[0] for p in processes]
    assert [p.returncode for p in processes] == [0] * count, "\n".join(output)


def kill_ranks(run: Run, data: Path, out: Path, *, count: int, checkpoint_every: int, step: int) -> None:
    """Run a training on `count` ranks until rank 0 logs this step, then kill all ranks.

    Only rank 0 logs. Another rank may end with an error, because rank 0 is gone, before it is killed.
    """
    processes = ranks(run, data, out, count=count, checkpoint_every=checkpoint_every, kill_at=step)
    output = processes[0].communicate(timeout=300)[0]
    for process in processes[1:]:
        process.kill()
        process.communicate()
    assert processes[0].returncode == -signal.SIGKILL, output
    assert all(process.returncode for process in processes)


def losses(out: Path) -> list[float]:
    """The loss of every step in a training's log."""
    return [row["loss"] for line in (out / "log.jsonl").read_text().splitlines() if "loss" in (row := json.loads(line))]
