"""TensorBoard files in the folder of a training."""

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from trainer.run import Run


class TensorBoardFiles:
    """Writes numbers to out/tensorboard; those after `updates` updates that a stopped process wrote are not shown.

    A purge removes the points at its step as well, and the point at the checkpoint is not written again.
    """

    def __init__(self, out: Path, run: Run, updates: int) -> None:  # noqa: ARG002  the run is in log.jsonl's folder
        self.board = SummaryWriter(str(out / "tensorboard"), purge_step=updates + 1 if updates else None)

    def log(self, updates: int, numbers: Mapping[str, float]) -> None:
        """Write numbers after this many updates."""
        for name, value in numbers.items():
            self.board.add_scalar(name, value, updates)

    def close(self) -> None:
        """Write what is buffered."""
        self.board.close()
