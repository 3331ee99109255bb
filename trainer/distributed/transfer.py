"""Copies between CPU memory and a GPU."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of CPU memory on a device; a GPU copies it after its earlier work, for which the caller does not wait.

    Only from pinned memory does a copy not wait; torch keeps the pinned memory until the copy is done.
    """
    if device.type != "cuda" or x.is_cuda:
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)


def copied_to_cpu(value: Any) -> Any:
    """A copy of nested dicts and lists with their tensors in CPU memory, also of those that lie there already."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {name: copied_to_cpu(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [copied_to_cpu(item) for item in value]
    return value
