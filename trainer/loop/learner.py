"""The learner: backbone, objective (loss and classifier), their optimizers and loss scaling, on this rank's device."""

import os
import warnings
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.distributed.ranks import world_size
from trainer.distributed.sync_norm import synchronise_batch_norms
from trainer.losses.distillation import Distillation
from trainer.losses.objective import Objective, make_objective
from trainer.pretrained.start import Start
from trainer.pretrained.teacher import Teacher, Teaching, load_teacher
from trainer.run import Run

DEFAULT_START, NO_TEACHING = Start(), Teaching()
DEVICE = "REFINERY_DEVICE"  # the variable that names the device that was asked for


class Learner(NamedTuple):
    """Everything that an update changes.

    net: the backbone. wrapped: the module to call on a batch, which is net, or net wrapped by torch.compile and
    DistributedDataParallel. objective: loss, classifier and class centres. optimizers: of the backbone, then of the
    objective. scaler: the loss scaling, which is active in fp16 only. start: from what the weights
    started, and which of them change. teaching, teacher: the network from which it learns, if there is one.
    """

    net: nn.Module
    wrapped: nn.Module
    objective: Objective
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    scaler: torch.amp.GradScaler
    device: torch.device
    start: Start = DEFAULT_START
    teaching: Teaching = NO_TEACHING
    teacher: Teacher | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What beside the run decides the result, for checkpoints: the start and the teacher; {} for the defaults."""
        return self.start.settings | self.teaching.settings


def make_learner(
    run: Run,
    classes: int,
    device: torch.device,
    start: Start = DEFAULT_START,
    teaching: Teaching = NO_TEACHING,
) -> Learner:
    """The untrained learner of a run for a data set of `classes` classes, with random weights.

    The initial weights are the same for any number of ranks. start: a frozen backbone is in evaluation mode, and its
    weights need no gradient. Raises UserError for a loss that has no weights of its own to train then, for a teacher of
    a frozen backbone, and for a teacher that does not fit.
    """
    if start.freeze and teaching.teacher:
        raise UserError("a frozen backbone cannot learn from a teacher: leave out --freeze or --teacher")
    torch.manual_seed(run.seed)
    net = checkpoint.build_backbone(run)
    if world_size() > 1 and run.norm == "sync":
        net = synchronise_batch_norms(net, device)
    # faces have one size, so cudnn may try all ways of a convolution once, and take the fastest
    torch.backends.cudnn.benchmark = device.type == "cuda"
    net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.train(not start.freeze)
    if start.freeze:
        net.requires_grad_(False)
    objective = make_objective(
        run.loss,
        classes=classes,
        dim=run.embedding,
        sample_rate=run.sample_rate,
        update=run.update,
        filter_cosine=run.filter_cosine,
        seed=run.seed,
    )
    teacher = load_teacher(teaching.teacher, run, device) if teaching.teacher else None
    if teacher:
        objective.distillation = Distillation(teaching.term, dim=run.embedding, teacher_dim=teacher.dim, seed=run.seed)
    objective = objective.to(device, torch.get_default_dtype())
    if start.freeze and objective.fc is None:
        raise UserError(f"loss {run.loss} has no weights to train beside a frozen backbone: give one with a softmax")
    optimizers = (
        _optimizer(run, start.parameter_groups(net), device),
        # a triplet loss has no weights
        _optimizer(run, [{"params": list(objective.parameters()) or [nn.Parameter(torch.zeros(1))]}], device),
    )
    wrapped: nn.Module = torch.compile(net) if run.compile else net  # type: ignore[assignment]
    if world_size() > 1 and not start.freeze:
        wrapped = _exchanging_gradients(wrapped, device)
    scaler = torch.amp.GradScaler(device.type, enabled=run.precision == "fp16")
    return Learner(net, wrapped, objective, optimizers, scaler, device, start, teaching, teacher)


def choose_device(name: str = "") -> torch.device:
    """The torch device with this name; without a name that of REFINERY_DEVICE, a GPU, or the CPU where there is none.

    Of several ranks on a machine each takes the GPU of its own number, also as `cuda`, and torch and NCCL use no other.
    A rank that sees a single GPU takes that one. Raises UserError when the device does not exist, or when all ranks of
    a machine would take the same GPU.
    """
    name = (name or os.environ.get(DEVICE, "")).replace("tensorrt", "cuda")  # TensorRT runs ONNX models alone
    if not name and torch.cuda.is_available():
        name = "cuda"
    if name.startswith("cuda:") and (ranks := int(os.environ.get("LOCAL_WORLD_SIZE", "1"))) > 1:
        raise UserError(f"--device {name}: {ranks} ranks cannot share a GPU: give cuda, and each takes its own")
    if name == "cuda":
        name = f"cuda:{0 if torch.cuda.device_count() == 1 else int(os.environ.get('LOCAL_RANK', '0'))}"
    try:
        device = torch.device(name or "cpu")
        torch.zeros(1, device=device)
        if device.type == "cuda":
            torch.cuda.set_device(device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {name} here ({str(error).splitlines()[0]}): give cpu, or cuda:0") from None
    return device


def _exchanging_gradients(net: nn.Module, device: torch.device) -> nn.Module:
    """The network, whose gradients are averaged over ranks in the backward pass."""
    with warnings.catch_warnings():  # newer torch has another name for broadcast_buffers, which torch 2.6 lacks
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(
            net,
            device_ids=[device.index] if device.type == "cuda" else None,
            gradient_as_bucket_view=True,  # gradients lie where they are exchanged, and not twice in memory
            # the statistics of batch norms: of norm local each rank has its own, of norm sync all have the same
            broadcast_buffers=False,
        )


def _optimizer(run: Run, params: list[dict[str, Any]], device: torch.device) -> torch.optim.Optimizer:
    # on a GPU one kernel steps all weights; a processor keeps the sums of earlier versions, to the last digit
    fused = True if device.type == "cuda" else None
    if run.optimizer == "sgd":
        return torch.optim.SGD(params, lr=run.lr, momentum=0.9, weight_decay=run.weight_decay, fused=fused)
    return torch.optim.AdamW(params, lr=run.lr, weight_decay=run.weight_decay, fused=fused)
