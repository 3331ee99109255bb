"""Trainings in separate processes: on several ranks, or to be killed before they end."""

import json
import logging
import os
import signal
import socket
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from tests.builders.processes import forked
from tests.builders.processes.forked import Forked
from tests.builders.processes.signal_itself import signal_at_line
from trainer import checkpoint
from trainer.checkpoint import Checkpoint
from trainer.pretrained.start import Start
from trainer.recipes import recipe
from trainer.run import Run
from trainer.train import train

RUN = replace(recipe("sample"), batch=16, steps=20, warmup=3, embedding=32)  # some seconds
SMALL = replace(RUN, input="3x48x48", batch=8)  # for trainings in separate processes


def _train(run: dict[str, Any], data: str, out: str, checkpoint_every: int, kill_at: int, init: str) -> None:
    """Train as one rank, from the weights in a file `init`; logs to standard output, kills itself at step `kill_at`."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # in float32 the order of sums changes the losses after a few updates
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s", force=True)
    if kill_at:
        signal_at_line(f"step {kill_at} of", signal.SIGKILL)
    options: dict[str, Any] = {"device": "cpu", "threads": 1, "log_every": 1, "checkpoint_every": checkpoint_every}
    train(Run(**run), data, Path(out), start=Start(init), **options)


def ranks(
    run: Run, data: Path, out: Path, *, count: int, checkpoint_every: int = 1000, kill_at: int = 0, init: str = ""
) -> list[Forked]:
    """Start all ranks of a training as processes that meet on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(count):
        variables = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)} if count > 1 else {}
        variables |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        arguments = (asdict(run), str(data), str(out), checkpoint_every, kill_at, init)
        log = out.parent / f"{out.name}.{rank}.log"
        started.append(forked.start(_train, *arguments, log=log, environment={**os.environ, **variables}))
    return started


def run_ranks(run: Run, data: Path, out: Path, *, count: int, checkpoint_every: int = 1000, init: str = "") -> None:
    """Run a whole training on `count` ranks; a failure shows their output."""
    started = ranks(run, data, out, count=count, checkpoint_every=checkpoint_every, init=init)
    ended = [rank.wait() for rank in started]
    assert [status for status, _ in ended] == [0] * count, "\n".join(output for _, output in ended)


def kill_ranks(
    run: Run, data: Path, out: Path, *, count: int, checkpoint_every: int, step: int, init: str = ""
) -> None:
    """Run a training on `count` ranks until rank 0 logs this step, then kill all ranks.

    Only rank 0 logs. Another rank may end with an error, because rank 0 is gone, before it is killed.
    """
    first, *others = ranks(run, data, out, count=count, checkpoint_every=checkpoint_every, kill_at=step, init=init)
    status, output = first.wait()
    for other in others:
        other.process.kill()
        assert other.wait()[0] != 0
    assert status == -signal.SIGKILL, output


def weight_file(run: Run, file: Path, *, classes: int, data: str) -> Path:
    """A checkpoint with random weights of a network and a classifier; data: the digest of the data of its classes."""
    torch.manual_seed(9)
    backbone = checkpoint.build_backbone(run).state_dict()
    objective = {"weight": torch.randn(classes, run.embedding) / 100}
    plain = {"data": data, "classes": classes, "seen": 0, "best": -1.0, "optimizer": {}, "scaler": {}}
    checkpoint.save(file, Checkpoint(run=run, backbone=backbone, objective=objective, **plain))
    return file


def losses(out: Path) -> list[float]:
    """The loss of every step in a training's log."""
    return [row["loss"] for line in (out / "log.jsonl").read_text().splitlines() if "loss" in (row := json.loads(line))]
