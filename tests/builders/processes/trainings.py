"""Trainings in processes of their own: on several ranks, or to kill them on the way."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from trainer.recipes import recipe
from trainer.run import Run

RUN = replace(recipe("sample"), batch=16, steps=20, warmup=3, embedding=32)  # some seconds
SMALL = replace(RUN, input="3x48x48", batch=8)  # for trainings in processes of their own
SCRIPT = """
import json, logging, sys
import torch
from pathlib import Path
from trainer.run import Run
from trainer.train import train
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)  # in float32 the order of a sum shows after a few updates at a high rate
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
run, data, out, checkpoint_every = json.loads(sys.argv[1])
train(Run(**run), data, Path(out), device="cpu", threads=1, log_every=1, checkpoint_every=checkpoint_every)
"""


def start(
    run: Run, data: Path, out: Path, *, rank: int = 0, ranks: int = 1, port: int = 0, checkpoint_every: int = 1000
):
    """Start one rank of a training as a process, which logs to standard output."""
    arguments = json.dumps([asdict(run), str(data), str(out), checkpoint_every])
    rank_variables = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)} if ranks > 1 else {}
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-u", "-c", SCRIPT, arguments],
        env={**os.environ, **rank_variables, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ranks(run: Run, data: Path, out: Path, *, count: int, checkpoint_every: int = 1000) -> list[subprocess.Popen[str]]:
    """Start all ranks of a training as processes that meet on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        start(run, data, out, rank=r, ranks=count, port=port, checkpoint_every=checkpoint_every) for r in range(count)
    ]


def run_ranks(run: Run, data: Path, out: Path, *, count: int, checkpoint_every: int = 1000) -> None:
    """Run a whole training on `count` ranks; on failure the test shows what they printed."""
    processes = ranks(run, data, out, count=count, checkpoint_every=checkpoint_every)
    output = [p.communicate(timeout=300)[0] for p in processes]
    assert [p.returncode for p in processes] == [0] * count, "\n".join(output)


def kill_at(processes: list[subprocess.Popen[str]], step: int) -> None:
    """Kill all ranks when the first one logs this step."""
    output = processes[0].stdout
    assert output
    for line in output:
        if line.startswith(f"step {step} of"):
            break
    for process in processes:
        process.kill()
    assert [p.wait() for p in processes] == [-9] * len(processes)


def losses(out: Path) -> list[float]:
    """The loss of every step in a training's log."""
    return [row["loss"] for line in (out / "log.jsonl").read_text().splitlines() if "loss" in (row := json.loads(line))]
