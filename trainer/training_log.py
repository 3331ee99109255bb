"""What a training says while it runs: a line now and then, the same numbers as JSON lines and for TensorBoard."""

import json
import logging
import math
import time
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger("refinery")


class Journal:
    """The numbers of one training as it goes; rank 0 keeps it, the others' has no place (None) and says nothing."""

    def __init__(self, out: Path | None, *, steps: int, batch: int, step: int) -> None:
        self.steps, self.batch, self.first = steps, batch, step
        self.started = self.last = time.monotonic()
        self.at = step
        self.out = out
        if out:
            self.lines = open(out / "log.jsonl", "a", encoding="utf-8")  # noqa: SIM115  closed by close()
            self.board = SummaryWriter(str(out / "tensorboard"), purge_step=step or None)

    def write(self, step: int, **numbers: float) -> None:
        """Loss and the like after `step` updates, with images/s since the last line and the time that is left."""
        if not self.out:
            return
        now = time.monotonic()
        rate = (step - self.at) * self.batch / max(now - self.last, 1e-9)
        left = (self.steps - step) * (now - self.started) / max(1, step - self.first)
        self.last, self.at = now, step
        said = "  ".join(f"{name} {_brief(value)}" for name, value in numbers.items())
        log.info("step %d of %d  %s  %.0f images/s  %s left", step, self.steps, said, rate, _clock(left))
        self._keep({"step": step, **numbers, "images_per_s": round(rate, 1)})

    def tested(self, step: int, name: str, numbers: dict[str, float]) -> None:
        """The figures of a test set after `step` updates."""
        if not self.out:
            return
        said = ", ".join(f"{what} {value:.4f}" for what, value in numbers.items())
        log.info("step %d of %d  %s: %s", step, self.steps, name, said)
        self._keep({"step": step, **{f"{name}/{what}": value for what, value in numbers.items()}})

    def close(self) -> None:
        """Everything to the disk."""
        if self.out:
            self.lines.close()
            self.board.close()

    def _keep(self, row: dict[str, Any]) -> None:
        self.lines.write(json.dumps(row) + "\n")
        self.lines.flush()
        for name, value in row.items():
            if name != "step":
                self.board.add_scalar(name, value, row["step"])


def _brief(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 0.01 else f"{value:.3f}"


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
