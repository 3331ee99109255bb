"""Numbers of a training as a run of MLflow, in the folder of the training or where MLFLOW_TRACKING_URI points."""

import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pipeline.errors import UserError, first_line
from trainer.run import Run
from trainer.trackers.optional_library import optional_library
from trainer.trackers.run_id import read_run_id, write_run_id

EXPERIMENT = "refinery"  # MLFLOW_EXPERIMENT_NAME gives another


class MLflowTracker:
    """A run of MLflow. Raises UserError where mlflow is not installed, or its server does not answer."""

    def __init__(self, out: Path, run: Run, updates: int) -> None:  # noqa: ARG002  a number that comes twice is one
        mlflow = optional_library("mlflow")
        self.metric = mlflow.entities.Metric
        place = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(out / 'mlflow.db').absolute()}"
        try:
            self.client = mlflow.MlflowClient(tracking_uri=place)
            self.run_id = read_run_id(out, "mlflow") or self._new_run(out, run)
            self.client.update_run(self.run_id, status="RUNNING")
        except Exception as error:  # noqa: BLE001  what mlflow raises has no common base
            raise UserError(f"--track mlflow: MLflow does not start ({first_line(error)})") from None

    def log(self, updates: int, numbers: Mapping[str, float]) -> None:
        """Send finite numbers after this many updates."""
        now_ms = time.time_ns() // 1_000_000
        metrics = [
            self.metric(_allowed(name), value, now_ms, updates)
            for name, value in numbers.items()
            if math.isfinite(value)
        ]
        self.client.log_batch(self.run_id, metrics)  # one request a line

    def close(self) -> None:
        """End the run."""
        self.client.set_terminated(self.run_id)

    def _new_run(self, out: Path, run: Run) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        experiment = self.client.get_experiment_by_name(name)
        experiment_id = experiment.experiment_id if experiment else self.client.create_experiment(name)
        created = self.client.create_run(experiment_id, run_name=out.name)
        for field, value in asdict(run).items():
            self.client.log_param(created.info.run_id, field, value)
        write_run_id(out, "mlflow", created.info.run_id)
        return str(created.info.run_id)


def _allowed(name: str) -> str:
    """A name with the characters that MLflow allows alone: TAR@FAR=0.1 has others."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)
