"""The learner: backbone, objective (loss and classifier), their optimizers and loss scaling, on this rank's device."""

import os
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.distributed.ranks import world_size
from trainer.distributed.sync_norm import synchronise_batch_norms
from trainer.losses.objective import Objective, make_objective
from trainer.run import Run


class Learner(NamedTuple):
    """Everything that an update changes.

    net: the backbone. wrapped: the module to call on a batch, which is net, or net wrapped by torch.compile and
    DistributedDataParallel. objective: loss, classifier and class centres. optimizers: of the backbone, then of the
    objective. scaler: the loss scaling, which is active in fp16 only.
    """

    net: nn.Module
    wrapped: nn.Module
    objective: Objective
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    scaler: torch.amp.GradScaler
    device: torch.device


def make_learner(run: Run, classes: int, device: torch.device) -> Learner:
    """The untrained learner of a run for a data set of `classes` classes.

    The initial weights are the same for any number of ranks.
    """
    torch.manual_seed(run.seed)
    net = checkpoint.build_backbone(run)
    if world_size() > 1:
        net = synchronise_batch_norms(net)
    net = net.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    objective = make_objective(
        run.loss,
        classes=classes,
        dim=run.embedding,
        sample_rate=run.sample_rate,
        update=run.update,
        filter_cosine=run.filter_cosine,
        seed=run.seed,
    ).to(device, torch.get_default_dtype())
    optimizers = (_optimizer(run, net), _optimizer(run, objective))
    wrapped: nn.Module = torch.compile(net) if run.compile else net  # type: ignore[assignment]
    if world_size() > 1:
        wrapped = DistributedDataParallel(wrapped, device_ids=[device.index] if device.type == "cuda" else None)
    scaler = torch.amp.GradScaler(device.type, enabled=run.precision == "fp16")
    return Learner(net, wrapped, objective, optimizers, scaler, device)


def choose_device(name: str = "") -> torch.device:
    """The torch device with this name; without a name this rank's GPU, or the CPU where there is no GPU.

    Raises UserError when the device does not exist.
    """
    if not name and torch.cuda.is_available():
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    try:
        device = torch.device(name or "cpu")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {name} here ({str(error).splitlines()[0]}): give cpu, or cuda:0") from None
    return device


def _optimizer(run: Run, module: nn.Module) -> torch.optim.Optimizer:
    params = list(module.parameters()) or [nn.Parameter(torch.zeros(1))]  # a triplet loss has no weights
    if run.optimizer == "sgd":
        return torch.optim.SGD(params, lr=run.lr, momentum=0.9, weight_decay=run.weight_decay)
    return torch.optim.AdamW(params, lr=run.lr, weight_decay=run.weight_decay)
