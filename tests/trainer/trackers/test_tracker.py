"""Trackers get the numbers of the log, also of a continued training; one that fails does not end the training."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.errors import UserError
from tests.builders.processes.trainings import RUN
from trainer.loop.training_log import TrainingLog
from trainer.trackers import tracker
from trainer.trackers.run_id import read_run_id, write_run_id


@dataclass(eq=False)
class FakeTracker:
    """Keeps what it gets; breaks: from which update on it fails."""

    breaks: int = 1000
    lines: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    calls: int = 0
    closed: int = 0

    def log(self, updates: int, numbers: Mapping[str, float]) -> None:
        self.calls += 1
        if updates >= self.breaks:
            raise ConnectionError("the server is gone\nand more")
        self.lines.append((updates, dict(numbers)))

    def close(self) -> None:
        self.closed += 1


def test_a_tracker_gets_every_number_and_one_that_fails_is_named_once_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = FakeTracker(), FakeTracker(breaks=2)
    log = TrainingLog(tmp_path, steps=4, batch=8, updates=0, trackers=[bad, good])
    for step in range(1, 5):
        log.log_update(step, loss=1 / step, gradient=math.inf)
    log.log_test_set(4, "lfw", {"accuracy": 0.5})
    log.close()
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [updates for updates, _ in good.lines] == [line["step"] for line in logged] == [1, 2, 3, 4, 4]
    assert [n["loss"] for _, n in good.lines[:4]] == [1, 1 / 2, 1 / 3, 1 / 4]
    assert good.lines[4] == (4, {"lfw/accuracy": 0.5})
    assert (good.closed, good.calls) == (1, 5)
    assert (bad.closed, bad.calls) == (0, 2)  # it may wait minutes for its server at each call
    failures = [m for m in caplog.messages if "FakeTracker failed" in m]
    assert failures == ["FakeTracker failed and gets no more numbers; log.jsonl has them all (the server is gone)"]


def test_other_ranks_track_nothing(tmp_path: Path) -> None:
    other = FakeTracker()
    log = TrainingLog(None, steps=4, batch=8, updates=0, trackers=[other])
    log.log_update(1, loss=1.0)
    log.close()
    assert (other.lines, other.closed) == ([], 0)


def test_mistakes_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="--track neptune: give each of mlflow, wandb once at most"):
        tracker.check_trackers(["neptune"])
    with pytest.raises(UserError, match="once at most"):
        tracker.check_trackers(["wandb", "wandb"])
    for name in tracker.TRACKERS:
        monkeypatch.setitem(sys.modules, name, None)  # as where it is not installed
        with pytest.raises(UserError, match=rf"--track {name} needs {name}.*`pip install 'face-refinery\[{name}\]'`"):
            tracker.check_trackers([name])


def test_tensorboard_shows_each_update_of_a_continued_training_once(tmp_path: Path) -> None:
    for first, last in ((1, 3), (3, 4)):  # the checkpoint was at 2; the first process went on to 3
        (board,) = tracker.open_trackers([], tmp_path, RUN, updates=first - 1)
        for updates in range(first, last + 1):
            board.log(updates, {"loss": 1.0})
        board.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4]


def test_the_id_of_a_run_is_kept_in_its_folder(tmp_path: Path) -> None:
    assert read_run_id(tmp_path, "wandb") == ""
    write_run_id(tmp_path, "wandb", "a1")
    write_run_id(tmp_path, "mlflow", "b2")
    assert (read_run_id(tmp_path, "wandb"), read_run_id(tmp_path, "mlflow")) == ("a1", "b2")
    (tmp_path / "tracked.json").write_text("{")
    assert read_run_id(tmp_path, "wandb") == ""


def test_mlflow_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(mlflow.MlflowClient, "log_metric", pytest.fail)  # a line of the log is one request
    for updates in (1, 2):  # the second process continues the training
        _, tracked = tracker.open_trackers(["mlflow"], tmp_path, RUN, updates=updates - 1)
        tracked.log(updates, {"loss": 1.0 / updates, "lfw/TAR@FAR=0.1": 0.5, "gradient": math.inf})
        tracked.close()
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "refinery"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == [(1, 1.0), (2, 0.5)]
    assert set(run.data.metrics) == {"loss", "lfw/TAR_FAR_0.1"}
    assert run.data.params["backbone"] == RUN.backbone
    assert run.info.status == "FINISHED"


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for updates in (1, 2):
        _, tracked = tracker.open_trackers(["wandb"], tmp_path, RUN, updates=updates - 1)
        tracked.log(updates, {"loss": 1.0 / updates, "gradient": math.inf})
        assert tracked.run.summary["loss"] == 1.0 / updates
        assert tracked.run.summary.get("gradient") is None
        assert tracked.run.config["backbone"] == RUN.backbone
        run_id = tracked.run.id
        tracked.close()
        assert run_id == read_run_id(tmp_path, "wandb")
    written = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len(written) == 2
    assert all(run_id in file.name and file.stat().st_size for file in written)
