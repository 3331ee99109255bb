"""What learns and what makes it learn, on the device and the ranks there are."""

import os
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.distributed.ranks import world_size
from trainer.distributed.sync_norm import synchronise
from trainer.losses.objective import Objective, make_objective
from trainer.run import Run


class Parts(NamedTuple):
    """What learns, and what makes it learn."""

    net: nn.Module
    whole: nn.Module  # net itself, or net as DistributedDataParallel or torch.compile wrap it
    objective: Objective
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    scaler: torch.amp.GradScaler
    device: torch.device


def make(run: Run, classes: int, device: torch.device) -> Parts:
    """A run's untrained parts for so many classes: the same weights whatever the number of ranks."""
    torch.manual_seed(run.seed)
    net = checkpoint.build_backbone(run)
    if world_size() > 1:
        net = synchronise(net)
    net = net.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    judge = make_objective(
        run.loss,
        classes=classes,
        dim=run.embedding,
        sample_rate=run.sample_rate,
        update=run.update,
        filter_cosine=run.filter_cosine,
        seed=run.seed,
    ).to(device, torch.get_default_dtype())
    optimizers = (_optimizer(run, net), _optimizer(run, judge))
    whole: nn.Module = torch.compile(net) if run.compile else net  # type: ignore[assignment]
    if world_size() > 1:
        whole = DistributedDataParallel(whole, device_ids=[device.index] if device.type == "cuda" else None)
    scaler = torch.amp.GradScaler(device.type, enabled=run.precision == "fp16")
    return Parts(net, whole, judge, optimizers, scaler, device)


def _optimizer(run: Run, module: nn.Module) -> torch.optim.Optimizer:
    params = list(module.parameters()) or [nn.Parameter(torch.zeros(1))]  # a triplet loss has nothing of its own
    if run.optimizer == "sgd":
        return torch.optim.SGD(params, lr=run.lr, momentum=0.9, weight_decay=run.weight_decay)
    return torch.optim.AdamW(params, lr=run.lr, weight_decay=run.weight_decay)


def join_ranks() -> None:
    """Meet the other ranks when torchrun started this one of several."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def device_of(name: str) -> torch.device:
    """The device of a name, or this rank's GPU, or the CPU. UserError for one that is not there."""
    if not name and torch.cuda.is_available():
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    try:
        device = torch.device(name or "cpu")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {name} here ({str(error).splitlines()[0]}): give cpu, or cuda:0") from None
    return device
