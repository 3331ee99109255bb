"""Numbers of a training as a run of Weights & Biases; WANDB_MODE=offline keeps them in the folder of the training."""

import math
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pipeline.errors import UserError, first_line
from trainer.run import Run
from trainer.trackers.optional_library import optional_library
from trainer.trackers.run_id import read_run_id, write_run_id

PROJECT = "refinery"  # WANDB_PROJECT gives another


class WandbTracker:
    """A run of Weights & Biases. Raises UserError where wandb is not installed, or its server does not answer."""

    def __init__(self, out: Path, run: Run, updates: int) -> None:  # noqa: ARG002  a number that comes twice is one
        wandb = optional_library("wandb")
        run_id = read_run_id(out, "wandb") or uuid.uuid4().hex[:8]
        try:
            self.run = wandb.init(
                project=os.environ.get("WANDB_PROJECT") or PROJECT,
                name=out.name,
                id=run_id,
                resume="allow",
                dir=str(out),
                config=asdict(run),
                # what it would send besides the numbers: the code, the console and facts about this machine
                settings=wandb.Settings(
                    console="off", disable_code=True, disable_git=True, x_disable_stats=True, x_disable_meta=True
                ),
            )
        except Exception as error:  # noqa: BLE001  what wandb raises has no common base
            raise UserError(f"--track wandb: Weights & Biases does not start ({first_line(error)})") from None
        self.run.define_metric("*", step_metric="updates")
        write_run_id(out, "wandb", run_id)

    def log(self, updates: int, numbers: Mapping[str, float]) -> None:
        """Send finite numbers after this many updates."""
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        self.run.log({"updates": updates, **finite})

    def close(self) -> None:
        """Send what is buffered and end the run."""
        self.run.finish()
