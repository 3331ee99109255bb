"""Tensors that are equal on all ranks: every rank loads them from the state that rank 0 read from a checkpoint.

An optimizer's count of updates is one of them, and where it lies is the optimizer's choice.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainer.distributed.ranks import max_over_ranks, rank, sum_over_ranks


def load_replicated(state: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor | None:
    """The tensor of this name in rank 0's state, on all ranks, with the dtype and on the device of `like`.

    None, on all ranks, where that state has none of the shape of `like`. The other ranks' state is not read. All ranks
    call this.
    """
    is_missing = rank() == 0 and (name not in state or state[name].shape != like.shape)
    if max_over_ranks(torch.tensor(float(is_missing), device=like.device)) > 0:
        return None
    value = state[name].to(like, copy=True) if rank() == 0 else torch.zeros_like(like)
    return sum_over_ranks(value.contiguous())  # the others add zeros


def counts_steps_on_device(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> bool:
    """Whether this optimizer keeps its step count on the weight's device, and not on the CPU."""
    group = next(g for g in optimizer.param_groups if any(p is weight for p in g["params"]))
    return bool(group.get("fused") or group.get("capturable"))
