"""Continues a training from last.pt of its folder: rank 0 reads the file and sends every rank its part."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.checkpoint import Checkpoint
from trainer.distributed.exchange import value_of_rank_0
from trainer.distributed.ranks import copy_from_rank_0, rank, world_size
from trainer.loop.first_weights import load_first_weights
from trainer.loop.progress import Progress, Training
from trainer.run import Run, differing_fields
from trainer.whole_file import LAST

log = logging.getLogger("refinery")


def with_recorded_norm(run: Run, out: Path) -> Run:
    """The run, with norm sync where the folder holds a training that began with it, and the run has the default.

    So a training of before there was a choice goes on by the same command, as it began. All ranks call this.
    """
    recorded = value_of_rank_0(lambda: checkpoint.recorded_norm(out / LAST) if (out / LAST).exists() else "")
    if (recorded, run.norm) != ("sync", "local"):
        return run
    if world_size() > 1 and rank() == 0:
        log.info("%s was begun with batch norms over all ranks, and goes on with them (--norm sync)", out)
    return replace(run, norm="sync")


def resume(training: Training) -> Progress:
    """Load last.pt of the training's folder into the learners of all ranks; returns its progress. All ranks call this.

    Without a last.pt it is of 0 updates, and the weights are those of the training's start. A finished training goes on
    when the run has more updates and is the same otherwise. Every rank gets the batch norm statistics of rank 0, which
    are those of the file. Raises UserError, on all ranks, when last.pt is of another run or start, or of a training on
    other data.
    """
    run, faces, out, learner = training
    if not value_of_rank_0((out / LAST).exists):
        load_first_weights(run, faces, learner)
        return Progress(updates=0, best=-1.0)
    read: list[Checkpoint] = []

    def load() -> list[Any]:
        saved = checkpoint.load(out / LAST)
        _check_same(training, saved)
        checkpoint.load_weights(learner.net, saved, path=out / LAST)
        read.append(saved)
        return [saved.seen // saved.run.batch, saved.best, saved.scaler]

    updates, best, scaler = value_of_rank_0(load)
    saved = read[0] if read else None
    for value in learner.net.state_dict().values():
        copy_from_rank_0(value)
    backbone_optimizer, objective_optimizer = learner.optimizers
    _load_optimizer(backbone_optimizer, saved.optimizer if saved else {})
    learner.objective.load_whole_state(saved.objective if saved else {}, objective_optimizer)
    learner.scaler.load_state_dict(scaler)
    return Progress(updates=updates, best=best)


def _check_same(training: Training, saved: Checkpoint) -> None:
    """Raise UserError where a checkpoint is of another training, or holds the model alone."""
    run, faces, out, learner = training
    is_longer = saved.seen // saved.run.batch == saved.run.steps < run.steps  # a finished training goes on
    changed = differing_fields(replace(saved.run, steps=run.steps) if is_longer else saved.run, run)
    changed += [f"another start: {name}" for name in _differing(saved.start, learner.start.settings)]
    if changed:
        raise UserError(f"{out} holds another training ({'; '.join(changed)}): give a new --out, or the same run")
    if saved.data != faces.digest:
        raise UserError(f"{out} holds a training on other data than {faces.path}: give a new --out, or the same data")
    if not saved.optimizer:
        raise UserError(
            f"{out / LAST} holds a model without the state of its optimizer, as best.pt does: no training continues "
            "from it; give a new --out, and --init to start from its weights"
        )
    if run.norm == "local" and saved.ranks not in (0, world_size()):
        log.info(
            "%s was trained on %d ranks and goes on with %d: with --norm local batch norms are over other numbers of "
            "photos then, so the results are not those of either number",
            out,
            saved.ranks,
            world_size(),
        )


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted({*a, *b}) if a.get(name) != b.get(name)]


def _load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load the state that rank 0 has into the optimizers of all ranks, whose parameters are the same.

    Settings are not loaded: they follow from run and device, as whether the steps are fused.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if rank() == 0:
        optimizer.load_state_dict({"state": saved["state"], "param_groups": optimizer.state_dict()["param_groups"]})

    def listed() -> list[dict[str, Any]]:
        """Of each parameter the names of its state, with the value of a count of steps; None for momentum and such."""
        states = [optimizer.state.get(p, {}) for p in parameters]
        return [{n: None if v.ndim else [float(v), v.is_cuda] for n, v in sorted(s.items())} for s in states]

    for parameter, values in zip(parameters, value_of_rank_0(listed), strict=True):
        for name, count in values.items():
            state = optimizer.state[parameter]  # made by being asked for, so not asked for weights without a state
            if count is not None and rank() > 0:
                number, on_device = count
                dtype = torch.float32 if on_device else torch.get_default_dtype()
                state[name] = torch.tensor(number, dtype=dtype, device=parameter.device if on_device else "cpu")
            elif count is None:
                # a new tensor on rank 0 too, whose loaded one may be a part of the file
                state[name] = state[name].clone() if rank() == 0 else torch.empty_like(parameter.detach())
                copy_from_rank_0(state[name])
