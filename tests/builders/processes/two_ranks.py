"""Two processes joined by gloo, to compare what they compute with what one process does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def on_two_ranks(work: Callable[..., Any], folder: Path, *args: Any) -> list[Any]:
    """What work(*args) returns on rank 0 and on rank 1; work is a function of a module, which the ranks import."""
    mp.spawn(_one_of_two, (work, str(folder), args), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def _one_of_two(rank: int, work: Callable[..., Any], folder: str, args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    torch.save(work(*args), Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()
