"""Trainings in processes of their own: on several ranks, or to be killed."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from trainer.run import Run

SCRIPT = """
import json, logging, sys
import torch
from pathlib import Path
from trainer.run import Run
from trainer.train import train
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)  # in float32 the order of a sum shows after a few steps of a high rate
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
run, data, out, keep_every = json.loads(sys.argv[1])
train(Run(**run), data, Path(out), device="cpu", threads=1, log_every=1, checkpoint_every=keep_every)
"""


def start(run: Run, data: Path, out: Path, *, rank: int = 0, ranks: int = 1, port: int = 0, keep_every: int = 1000):
    """One rank of a training as a process; its lines come on standard output."""
    given = json.dumps([asdict(run), str(data), str(out), keep_every])
    where = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)} if ranks > 1 else {}
    at = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-u", "-c", SCRIPT, given],
        env={**os.environ, **where, **at},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ranks(run: Run, data: Path, out: Path, *, count: int, keep_every: int = 1000) -> list[subprocess.Popen[str]]:
    """All ranks of a training as processes that meet on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [start(run, data, out, rank=r, ranks=count, port=port, keep_every=keep_every) for r in range(count)]


def run_ranks(run: Run, data: Path, out: Path, *, count: int, keep_every: int = 1000) -> None:
    """A whole training on some ranks; fails with what they printed."""
    together = ranks(run, data, out, count=count, keep_every=keep_every)
    said = [p.communicate(timeout=300)[0] for p in together]
    assert [p.returncode for p in together] == [0] * count, "\n".join(said)


def kill_at(together: list[subprocess.Popen[str]], step: int) -> None:
    """Kill all ranks when the first says that a step is done."""
    said = together[0].stdout
    assert said
    for line in said:
        if line.startswith(f"step {step} of"):
            break
    for process in together:
        process.kill()
    assert [p.wait() for p in together] == [-9] * len(together)


def losses(out: Path) -> list[float]:
    """The loss of every step that a training wrote down."""
    return [row["loss"] for line in (out / "log.jsonl").read_text().splitlines() if "loss" in (row := json.loads(line))]
