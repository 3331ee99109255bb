"""Small values exchanged between ranks: settings, paths, the message of an error.

They travel as JSON in tensors of bytes. torch's own exchange of objects uses pickle, which runs code that it receives.
"""

import json
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from pipeline.errors import UserError
from trainer.distributed.ranks import max_over_ranks, rank, world_size


def gather_values(value: Any) -> list[Any]:
    """The values of all ranks, by rank: anything that JSON holds. All ranks call this."""
    if world_size() == 1:
        return [value]
    data = _bytes_of(value)
    sizes = [torch.zeros_like(_size(data)) for _ in range(world_size())]
    dist.all_gather(sizes, _size(data))
    longest = int(max_over_ranks(_size(data)))
    padded = torch.nn.functional.pad(data, (0, longest - len(data)))
    received = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(received, padded)
    return [_value_of(part[: int(size)]) for part, size in zip(received, sizes, strict=True)]


def value_of_rank_0(compute: Callable[[], Any]) -> Any:
    """What a function returns on rank 0, on all ranks: anything that JSON holds. All ranks call this.

    A UserError that it raises on rank 0 is raised on all ranks, so that none waits for a rank that has ended.
    """
    if world_size() == 1:
        return compute()
    outcome: list[Any] = [None, []]
    if rank() == 0:
        try:
            outcome[0] = compute()
        except UserError as error:
            outcome[1] = list(error.messages)
    data = _bytes_of(outcome)
    size = _size(data)
    dist.broadcast(size, 0)
    if rank() > 0:
        data = data.new_empty(int(size))
    dist.broadcast(data, 0)
    value, messages = _value_of(data)
    if messages:
        raise UserError(*messages)
    return value


def exchange_device() -> torch.device:
    """The device on which tensors must lie that ranks exchange: with NCCL this process's GPU, else the CPU."""
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")


def _bytes_of(value: Any) -> Tensor:
    data = bytearray(json.dumps(value, allow_nan=False).encode())
    return torch.frombuffer(data, dtype=torch.uint8).to(exchange_device())


def _value_of(data: Tensor) -> Any:
    return json.loads(data.cpu().numpy().tobytes())


def _size(data: Tensor) -> Tensor:
    return torch.tensor([len(data)], device=data.device)
