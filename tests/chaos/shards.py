"""Shard functions for tests of a cluster: slow ones, one that names its worker, one that ends it, one that fills it."""

import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from distributed import get_worker

MADE_BY = pa.schema([("made_by", pa.string())])
BLOCK = 5_000_000  # numbers of 8 bytes: 40 MB


def slow_shard(part: int, *, pause: float) -> pa.Table:
    """A shard with its number, made after this number of seconds."""
    time.sleep(pause)
    return pa.table({"made_by": [f"{part}"]})


def worker_shard(part: int) -> pa.Table:
    """A shard with the name of the worker that made it."""
    del part
    return pa.table({"made_by": [str(get_worker().name)]})


def deadly_shard(part: int) -> pa.Table:
    """Ends the process that makes it, with the shard's number as status."""
    os._exit(part)


def greedy_shard(part: int, *, folder: str) -> pa.Table:
    """A shard with its number; making shard 1 the first time takes more and more memory, up to 1.6 GB."""
    made_once = Path(folder, "made once")
    if part == 1 and not made_once.exists():
        made_once.touch()
        blocks = []
        while len(blocks) < 40:
            blocks.append(np.ones(BLOCK))
            time.sleep(0.1)
    return pa.table({"made_by": [f"{part}"]})
