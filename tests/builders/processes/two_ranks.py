"""Two processes joined by gloo, to compare their results with those of one process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.builders.processes import forked


def on_two_ranks(work: Callable[..., Any], folder: Path, *args: Any) -> list[Any]:
    """The results of work(*args) on rank 0 and rank 1; work: a function that the ranks can import from its module."""
    forked.context()  # sets what the process has loaded from which both are forked
    mp.start_processes(_one_of_two, (work, str(folder), args), nprocs=2, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def _one_of_two(rank: int, work: Callable[..., Any], folder: str, args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    torch.save(work(*args), Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()
