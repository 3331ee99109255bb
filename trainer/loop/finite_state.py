"""Stops a training whose numbers are no longer finite, before they are written into a checkpoint.

An update whose gradient is not finite changes the weights to numbers that are not finite, although its loss, computed
before, may be. So a checkpoint is written only after everything in it was checked, and every checkpoint can be
continued.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pipeline.errors import UserError
from trainer.distributed.ranks import max_over_ranks
from trainer.loop.learner import Learner
from trainer.run import Run


def check_finite_state(run: Run, learner: Learner, updates: int) -> None:
    """Raise UserError when a number of the weights or of the optimizers' state is not finite; all ranks call this.

    updates: the number of updates made, for the message. The error is raised on all ranks or on none.
    """
    # the least and the largest number are nan when any is, and need no memory, as a mask of a large classifier would
    limits = [limit for t in _tensors(learner) if t.is_floating_point() and t.numel() for limit in torch.aminmax(t)]
    wrong = [~limit.to(learner.device).isfinite() for limit in limits]
    if max_over_ranks(torch.stack(wrong).any().float()) > 0:
        raise not_finite("weights are", run, updates)


def finite_number(value: Tensor, run: Run, updates: int, *, subject: str) -> float:
    """The value as a number, for which the GPU must finish.

    subject: what it is, with a verb, for the message. Raises UserError, with advice, when it is not finite.
    """
    if not torch.isfinite(value):
        raise not_finite(subject, run, updates)
    return float(value)


def not_finite(subject: str, run: Run, updates: int) -> UserError:
    """The error of a training whose loss, gradient or weights are not finite after this many updates."""
    advice = [f"a lower --lr than {run.lr}", "a longer --warmup", "a smaller scale or margin in --loss"]
    advice += ["--precision bf16"] if run.precision == "fp16" else []
    return UserError(
        f"the {subject} no longer finite at step {updates}: try {', '.join(advice)}; "
        "the last checkpoint, if there is one, was written before and is finite"
    )


def _tensors(learner: Learner) -> Iterator[Tensor]:
    """All tensors of this rank that a checkpoint holds."""
    yield from learner.net.state_dict().values()
    yield from learner.objective.state_dict().values()
    if learner.objective.fc:
        yield from learner.objective.fc.optimizer_rows.values()
    for optimizer in learner.optimizers:
        for state in optimizer.state.values():
            yield from (value for value in state.values() if isinstance(value, Tensor))
