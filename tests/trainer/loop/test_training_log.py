"""The log of a training that was stopped and continued has every update once."""

import json
import math
from pathlib import Path

import pytest

from trainer.loop.training_log import TrainingLog, logged_loss


def logged_steps(out: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]


def log_updates(out: Path, first: int, last: int, *, checkpoint: int) -> None:
    """Log the updates from `first` to `last`, in a process that continues from a checkpoint."""
    log = TrainingLog(out, steps=20, batch=8, updates=checkpoint)
    for step in range(first, last + 1):
        log.log_update(step, loss=1 / step)
    log.close()


def test_a_gradient_that_is_not_finite_is_null(tmp_path: Path) -> None:
    """With loss scaling an update may be left out, and the training goes on."""
    log = TrainingLog(tmp_path, steps=20, batch=8, updates=0)
    log.log_update(1, loss=2.5, gradient=math.inf)
    log.close()
    line = json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=pytest.fail)
    assert (line["loss"], line["gradient"]) == (2.5, None)
    assert (logged_loss(tmp_path / "log.jsonl", 1), logged_loss(tmp_path / "log.jsonl", 2)) == (2.5, None)


def test_lines_after_the_last_checkpoint_are_dropped_and_made_again(tmp_path: Path) -> None:
    log_updates(tmp_path, 1, 9, checkpoint=0)
    with open(tmp_path / "log.jsonl", "a") as stream:
        stream.write('{"step": 10, "lo')  # the process was killed here
    log_updates(tmp_path, 8, 12, checkpoint=7)
    assert logged_steps(tmp_path) == list(range(1, 13))
    log_updates(tmp_path, 1, 3, checkpoint=0)
    assert logged_steps(tmp_path) == [1, 2, 3]
