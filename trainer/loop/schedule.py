"""The learning rate of each update: a function of the update's number, so a checkpoint stores no scheduler state."""

import math

from trainer.run import Run


def learning_rate(run: Run, step: int) -> float:
    """The learning rate of update `step` (from 0): it rises linearly for run.warmup updates, then follows run.schedule.

    "constant" stays at run.lr. "polynomial:p" falls as (1 - progress)^p: p = 1, a straight line, is the schedule of
    InsightFace's arcface_torch (PolynomialLRWarmup with its default power); "polynomial" alone is p = 2. "cosine" falls
    as half a cosine wave (Loshchilov and Hutter, arXiv 1608.03983, without restarts). "step:a,b" is divided by 10 at
    updates a and b.
    """
    if step < run.warmup:
        return run.lr * (step + 1) / run.warmup
    progress = (step - run.warmup) / max(1, run.steps - run.warmup)
    kind, _, numbers = run.schedule.partition(":")
    if kind == "polynomial":
        return float(run.lr * (1 - progress) ** float(numbers or 2))
    if kind == "cosine":
        return run.lr * (1 + math.cos(math.pi * progress)) / 2
    return float(run.lr * 0.1 ** sum(step >= int(a) for a in numbers.split(",") if a))
