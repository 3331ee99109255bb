"""The learning rate of each update: a function of the update's number, so a checkpoint stores no scheduler state."""

import math

from trainer.run import Run


def learning_rate(run: Run, step: int) -> float:
    """The learning rate of update `step` (from 0): it rises linearly for run.warmup updates, then follows run.schedule.

    "constant" stays at run.lr. "polynomial" falls as (1 - progress)^2, as in InsightFace's arcface_torch. "cosine"
    falls as half a cosine wave (Loshchilov and Hutter, arXiv 1608.03983, without restarts). "step:a,b" is divided by 10
    at updates a and b.
    """
    if step < run.warmup:
        return run.lr * (step + 1) / run.warmup
    progress = (step - run.warmup) / max(1, run.steps - run.warmup)
    if run.schedule == "polynomial":
        return run.lr * (1 - progress) ** 2
    if run.schedule == "cosine":
        return run.lr * (1 + math.cos(math.pi * progress)) / 2
    _, _, at = run.schedule.partition(":")
    return float(run.lr * 0.1 ** sum(step >= int(a) for a in at.split(",") if a))
