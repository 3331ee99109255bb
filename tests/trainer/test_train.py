"""The training loop: it learns, continues where it was stopped, and computes the same on any number of ranks."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from tests.builders.photos import exported_faces
from tests.builders.processes import trainings
from tests.builders.processes.trainings import RUN, SMALL
from trainer import checkpoint
from trainer.run import Run
from trainer.train import TrainingResult, train


def weights(out: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(out / "last.pt").backbone


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_it_learns_and_leaves_a_model(trained: TrainingResult) -> None:
    out = trained.checkpoint.parent
    losses = trainings.losses(out)
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
    assert (trained.photos, trained.classes, trained.steps) == (64, 8, 20)
    assert {"last.pt", "model.onnx", "result.json", "log.jsonl", "tensorboard"} <= {p.name for p in out.iterdir()}
    assert any((out / "tensorboard").iterdir())


def test_a_finished_training_is_read_and_not_repeated(trained: TrainingResult, data: Path) -> None:
    out = trained.checkpoint.parent
    before = {p: p.stat().st_mtime_ns for p in out.glob("*.pt")}
    assert train(RUN, data, out, device="cpu") == trained
    assert {p: p.stat().st_mtime_ns for p in out.glob("*.pt")} == before


@pytest.mark.slow
def test_a_killed_training_that_continues_ends_with_the_same_weights(data: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    trainings.run_ranks(SMALL, data, whole, count=1, checkpoint_every=7)
    trainings.kill_at(trainings.ranks(SMALL, data, broken, count=1, checkpoint_every=7), 9)
    updates = checkpoint.load(broken / "last.pt").seen // SMALL.batch
    assert updates in (7, 14)  # which of them depends on how soon the kill comes
    trainings.run_ranks(SMALL, data, broken, count=1, checkpoint_every=7)
    assert same(weights(whole), weights(broken))
    assert trainings.losses(broken)[updates - 20 :] == trainings.losses(whole)[updates:]


@pytest.mark.slow
def test_a_signal_writes_a_checkpoint_and_the_same_command_continues(data: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from flows.cli import app; app.main()", "train", "sample", "--data", str(data)]
    fields = ["--input", "3x48x48", "--batch", "8", "--steps", "40", "--every", "1", "--device", "cpu", "--out"]

    def start(out: Path) -> subprocess.Popen[str]:
        threads = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen([*program, *fields, str(out)], env=threads, stderr=subprocess.PIPE, text=True)

    for number, status, step in ((signal.SIGTERM, 143, 3), (signal.SIGINT, 130, 20)):
        stopped = start(tmp_path / "stopped")
        assert stopped.stderr
        for line in stopped.stderr:
            if f"step {step} of 40" in line:
                stopped.send_signal(number)
                break
        last = stopped.stderr.readlines()[-1]
        assert stopped.wait(60) == status
        assert "stopped" in last
        assert "Traceback" not in last
        seen = checkpoint.load(tmp_path / "stopped/last.pt").seen
        assert step * 8 <= seen < 40 * 8
        assert not (tmp_path / "stopped/result.json").exists()
    for out in ("stopped", "whole"):
        assert start(tmp_path / out).wait(120) == 0
    assert same(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))
    assert len(trainings.losses(tmp_path / "stopped")) == 40


@pytest.mark.slow
def test_two_ranks_have_the_losses_of_one_and_one_continues_where_two_stopped(tmp_path: Path) -> None:
    data = exported_faces.parquet(tmp_path / "data", 8, 8)
    run = replace(SMALL, augment=0.5, sample_rate=0.1, optimizer="sgd", lr=0.02)
    trainings.run_ranks(run, data, tmp_path / "one", count=1)
    trainings.run_ranks(run, data, tmp_path / "two", count=2, checkpoint_every=10)
    one, two = trainings.losses(tmp_path / "one"), trainings.losses(tmp_path / "two")
    assert len(one) == len(two) == 20
    assert two == pytest.approx(one, abs=1e-5)
    trainings.kill_at(trainings.ranks(run, data, tmp_path / "killed", count=2, checkpoint_every=10), 13)
    assert checkpoint.load(tmp_path / "killed/last.pt").seen == 10 * 8
    trainings.run_ranks(run, data, tmp_path / "killed", count=1, checkpoint_every=10)
    assert trainings.losses(tmp_path / "killed")[-10:] == pytest.approx(one[-10:], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("precision", "bf16"), ("precision", "fp16"), ("accumulate", 2), ("optimizer", "sgd"), ("input", "1x56x56")],
)
def test_every_precision_optimizer_and_input_learns(data: Path, tmp_path: Path, name: str, value: object) -> None:
    train(replace(SMALL, **{name: value, "steps": 8}), data, tmp_path / "out", device="cpu", log_every=1)
    losses = trainings.losses(tmp_path / "out")
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_gradient_checkpointing_gives_the_same_losses(data: Path, tmp_path: Path) -> None:
    for recompute in (True, False):
        train(replace(SMALL, recompute=recompute, steps=4), data, tmp_path / str(recompute), device="cpu", log_every=1)
    assert trainings.losses(tmp_path / "True") == pytest.approx(trainings.losses(tmp_path / "False"), rel=1e-4)


def test_another_run_or_other_data_in_the_same_folder_is_refused(
    trained: TrainingResult, data: Path, tmp_path: Path
) -> None:
    out = trained.checkpoint.parent
    with pytest.raises(UserError, match=r"holds another training \(backbone sample and mobilefacenet\)"):
        train(replace(RUN, backbone="mobilefacenet"), data, out)
    with pytest.raises(UserError, match="holds a training on other data"):
        train(RUN, exported_faces.parquet(tmp_path / "other", 7, 8), out)
    assert train(RUN, shutil.copytree(data, tmp_path / "copy"), out, device="cpu").steps == RUN.steps


def test_a_loss_that_is_not_finite_stops_with_advice(data: Path, tmp_path: Path) -> None:
    run = replace(RUN, lr=1e18, clip=0.0, warmup=0, optimizer="sgd")
    with pytest.raises(UserError, match=r"no longer finite at step \d+: try a lower --lr"):
        train(run, data, tmp_path / "out", device="cpu", log_every=1)


def test_an_unknown_device_raises_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no device cuda:99 here"):
        train(RUN, data, tmp_path / "out", device="cuda:99")


def test_classes_with_a_single_photo_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [*exported_faces.pictures(3, 6), (3, exported_faces.pictures(1, 1)[0][1])]
    exported_faces.write(folder / "part-00000.parquet", rows)
    with caplog.at_level("WARNING", logger="refinery"):
        train(Run(**{**RUN.__dict__, "steps": 1}), folder, tmp_path / "out", device="cpu")
    assert "1 classes have a single photo" in caplog.text


def test_the_result_is_plain_json(trained: TrainingResult) -> None:
    value = json.loads((trained.checkpoint.parent / "result.json").read_text())
    assert value["checkpoint"] == "last.pt"
    assert value["loss"] == trained.loss
