"""The log of a training: lines for people, and the same numbers in log.jsonl and for trackers."""

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pipeline.errors import first_line
from pipeline.json_values import finite_or_null
from pipeline.whole_files import write_whole
from trainer.trackers.tracker import Tracker

log = logging.getLogger("refinery")
LOG = "log.jsonl"


class TrainingLog:
    """Logs the numbers of one training, writes them to log.jsonl in the folder `out`, and gives them to trackers.

    out: None on all ranks but rank 0; then nothing is logged or written. trackers: closed with the log. steps: all
    updates of the training. batch: photos of an update. updates: the updates made before this process started.
    """

    def __init__(
        self, out: Path | None, *, steps: int, batch: int, updates: int, trackers: Sequence[Tracker] = ()
    ) -> None:
        self.trackers = trackers
        self.failed: list[Tracker] = []
        self.out, self.steps, self.batch = out, steps, batch
        self.first_updates = self.last_updates = updates
        self.first_time = self.last_time = time.monotonic()
        if out:
            _drop_lines_after(out / LOG, updates)
            self.lines = open(out / LOG, "a", encoding="utf-8")  # noqa: SIM115  closed by close()

    def log_update(self, updates: int, **numbers: float) -> None:
        """Log the loss and other numbers after `updates` updates, with the photos per second since the last line and
        the time left.

        numbers: values by name.
        """
        if not self.out:
            return
        now = time.monotonic()
        rate = (updates - self.last_updates) * self.batch / max(now - self.last_time, 1e-9)
        seconds_left = (self.steps - updates) * (now - self.first_time) / max(1, updates - self.first_updates)
        self.last_time, self.last_updates = now, updates
        text = "  ".join(f"{name} {_short(value)}" for name, value in numbers.items())
        log.info(
            "step %d of %d  %s  %.0f photos per second  %s left",
            updates,
            self.steps,
            text,
            rate,
            _duration(seconds_left),
        )
        self._write(updates, {**numbers, "images_per_s": round(rate, 1)})

    def log_test_set(self, updates: int, name: str, figures: dict[str, float]) -> None:
        """Log the figures of a test set after `updates` updates."""
        if not self.out:
            return
        text = ", ".join(f"{figure} {value:.4f}" for figure, value in figures.items())
        log.info("step %d of %d  %s: %s", updates, self.steps, name, text)
        self._write(updates, {f"{name}/{figure}": value for figure, value in figures.items()})

    def close(self) -> None:
        """Write buffered numbers to the disk, close the file, and end the trackers."""
        if self.out:
            self.lines.close()
            for tracker in self.trackers:
                if tracker not in self.failed:
                    self._try(tracker, tracker.close)

    def _write(self, updates: int, numbers: dict[str, float]) -> None:
        # with loss scaling the gradient of an update that was left out is infinite
        self.lines.write(json.dumps(finite_or_null({"step": updates, **numbers}), allow_nan=False) + "\n")
        self.lines.flush()
        for tracker in self.trackers:
            if tracker not in self.failed:  # it may wait minutes for its server each time
                self._try(tracker, partial(tracker.log, updates, numbers))

    def _try(self, tracker: Tracker, step: Callable[[], None]) -> None:
        """Let a tracker do something. One that fails, as where its server is gone, gets nothing more from then on."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  each tracker raises errors of its own
            name = type(tracker).__name__
            log.warning("%s failed and gets no more numbers; log.jsonl has them all (%s)", name, first_line(error))
            self.failed.append(tracker)


def logged_loss(file: Path, updates: int) -> float | None:
    """The loss that a log.jsonl gives for the update of this number; None where it has none."""
    loss = None
    for line in file.read_text("utf-8", "replace").splitlines() if file.exists() else ():
        if _step(line) == updates and isinstance(number := json.loads(line).get("loss"), float):
            loss = number
    return loss


def _drop_lines_after(file: Path, updates: int) -> None:
    """Remove the lines about updates that a stopped process made after its last checkpoint: they are made again."""
    if file.exists():
        lines = file.read_text("utf-8", "replace").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and (_step(line) or 0) <= updates]
        if kept != lines:
            write_whole(file, "".join(kept))


def _step(line: str) -> int | None:
    """The update that a line is about; None for a line that is not of this log."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return None
    return step if isinstance(step, int) else None


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 0.01 else f"{value:.3f}"


def _duration(seconds: float) -> str:
    """A duration as h:mm:ss or m:ss."""
    if not math.isfinite(seconds):
        return "?"
    minutes, whole_seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole_seconds:02}" if hours else f"{minutes}:{whole_seconds:02}"
