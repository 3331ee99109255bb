"""The training loop: the loss falls, a stopped training continues, and any number of ranks computes the same."""

import json
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from flows.cli import app
from flows.train.flow import train_recipe
from pipeline.errors import UserError
from tests.builders.drawn_pairs import pair_set
from tests.builders.photos import exported_faces
from tests.builders.processes import forked, trainings
from tests.builders.processes.signal_itself import signal_at_line
from tests.builders.processes.trainings import RUN, SMALL
from trainer import checkpoint
from trainer.loop.resume import with_recorded_norm
from trainer.run import Run
from trainer.train import TrainingResult, train

WHOLE = replace(SMALL, augment=0.5, sample_rate=0.1, optimizer="sgd", lr=0.02)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training of WHOLE that nothing disturbed; its data lies beside it."""
    folder = tmp_path_factory.mktemp("whole")
    data = exported_faces.parquet(folder / "data", 8, 8)
    trainings.run_ranks(WHOLE, data, folder / "training", count=1, checkpoint_every=7)
    return folder / "training"


def weights(out: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(out / "last.pt").backbone


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_a_training_lowers_the_loss_and_writes_a_model(trained: TrainingResult) -> None:
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


def test_a_training_that_an_earlier_version_finished_stays_as_it_is(
    trained: TrainingResult, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its result.json has no digests, and its checkpoint no norm: batch norms were over all ranks."""
    out = shutil.copytree(trained.checkpoint.parent, tmp_path / "earlier")
    value = json.loads((out / "result.json").read_text())
    (out / "result.json").write_text(json.dumps({k: v for k, v in value.items() if k not in ("digest", "onnx_digest")}))
    content = torch.load(out / "last.pt", weights_only=True)
    del content["run"]["norm"], content["ranks"]
    torch.save(content, out / "last.pt")
    assert (with_recorded_norm(RUN, out).norm, with_recorded_norm(RUN, trained.checkpoint.parent)) == ("sync", RUN)
    with pytest.raises(UserError, match=r"another training \(norm local and sync\)"):
        train(replace(RUN, norm="sync"), data, trained.checkpoint.parent)
    before = {name: (out / name).read_bytes() for name in ("result.json", "model.onnx")}
    assert train(RUN, data, out, device="cpu").loss == trained.loss
    assert {name: (out / name).read_bytes() for name in before} == before
    assert "not whole" not in caplog.text


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("result.json", "missing"),
        ("result.json", "empty"),
        ("result.json", "another number"),
        ("model.onnx", "missing"),
        ("model.onnx", "another number"),
    ],
)
def test_what_is_damaged_of_a_finished_training_is_written_again(
    trained: TrainingResult, data: Path, tmp_path: Path, name: str, damage: str
) -> None:
    out = shutil.copytree(trained.checkpoint.parent, tmp_path / "out")
    whole = {file: (out / file).read_bytes() for file in ("result.json", "model.onnx", "last.pt")}
    if damage == "missing":
        (out / name).unlink()
    else:
        middle, end = len(whole[name]) // 2, len(whole[name])
        part = {"empty": 0, "cut short": middle, "another number": end}[damage]
        changed = whole[name].replace(b'"photos": 64', b'"photos": 65') if name == "result.json" else whole[name]
        if changed == whole[name]:
            changed = changed[:middle] + bytes([changed[middle] ^ 1]) + changed[middle + 1 :]
        (out / name).write_bytes(changed[:part])
    result = train(RUN, data, out, device="cpu")
    assert result == replace(trained, checkpoint=out / "last.pt", onnx=out / "model.onnx")
    assert {file: (out / file).read_bytes() for file in whole} == whole


def test_a_finished_training_without_result_and_log_is_measured_again(tmp_path: Path, data: Path) -> None:
    """The process may have been killed before it wrote the result, or its ONNX file could not be written."""
    out, run = tmp_path / "out", replace(SMALL, steps=1)
    test_sets = {
        "drawn": pair_set(tmp_path / "pairs", [("f0", "f1", True, 0, "a", None), ("f0", "f2", False, 0, "a", None)])
    }
    first = train(run, data, out, test_sets=test_sets, device="cpu")
    assert first.tests["drawn"]["accuracy"] >= 0
    best, last = checkpoint.load(out / "best.pt"), checkpoint.load(out / "last.pt")
    assert same(best.backbone, last.backbone)
    assert (best.optimizer, best.scaler, best.objective.keys()) == ({}, {}, {"weight"})
    (tmp_path / "best").mkdir()
    shutil.copy(out / "best.pt", tmp_path / "best/last.pt")
    with pytest.raises(UserError, match=r"a model without the state of its optimizer, as best\.pt does: no tr"):
        train(run, data, tmp_path / "best", device="cpu")
    for name in ("result.json", "model.onnx", "log.jsonl"):
        (out / name).unlink()
    again = train(run, data, out, test_sets=test_sets, device="cpu")
    assert again == replace(first, loss=None)
    value = json.loads((out / "result.json").read_text(), parse_constant=pytest.fail)
    assert (value["loss"], value["tests"]) == (None, first.tests)
    assert train(run, data, out, device="cpu") == again


@pytest.mark.slow
def test_a_killed_training_that_continues_ends_with_the_same_weights(whole: Path, tmp_path: Path) -> None:
    data, broken = whole.parent / "data", tmp_path / "broken"
    # the second checkpoint may still be on its way to the disk, the first one was there before the second began
    trainings.kill_ranks(WHOLE, data, broken, count=1, checkpoint_every=7, step=16)
    assert checkpoint.load(broken / "last.pt").seen in (7 * WHOLE.batch, 14 * WHOLE.batch)
    trainings.run_ranks(WHOLE, data, broken, count=1, checkpoint_every=7)
    assert same(weights(whole), weights(broken))
    assert trainings.losses(broken)[-6:] == trainings.losses(whole)[-6:]


def train_on_the_command_line(words: list[str], number: int, line: str) -> None:
    """Run the command in this process, which sends itself a signal when it logs a line."""
    signal_at_line(line, number)
    sys.argv = ["refinery", *words]
    app.main()


@pytest.mark.slow
def test_a_signal_writes_a_checkpoint_and_the_same_command_continues(data: Path, tmp_path: Path) -> None:
    words = ["train", str(data), "--set", "input=3x48x48", "--batch", "8", "--steps", "40"]
    options = ["--log-every", "1", "--device", "cpu", "--out"]

    def run(out: Path, number: int = 0, line: str = "no line") -> tuple[int, str]:
        return forked.start(
            train_on_the_command_line, [*words, *options, str(out)], number, line, log=tmp_path / "log"
        ).wait()

    for number, status, step in ((signal.SIGTERM, 143, 3), (signal.SIGINT, 130, 20)):
        ended, err = run(tmp_path / "stopped", number, f"step {step} of 40")
        assert ended == status, err
        assert "stopped" in err.splitlines()[-1]
        assert "Traceback" not in err
        assert checkpoint.load(tmp_path / "stopped/last.pt").seen // 8 in (step, step + 1)
        assert not (tmp_path / "stopped/result.json").exists()
    assert run(tmp_path / "stopped")[0] == 0
    settings = ["input=3x48x48"]
    train_recipe(data, tmp_path / "whole", batch=8, steps=40, settings=settings, log_every=1, device="cpu")
    assert same(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))
    assert len(trainings.losses(tmp_path / "stopped")) == 40


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


@pytest.mark.parametrize("option", ["threads", "log_every", "checkpoint_every"])
def test_an_interval_or_a_number_of_threads_below_1_raises_one_line(data: Path, tmp_path: Path, option: str) -> None:
    with pytest.raises(UserError, match=f"{option} 0: expected 1 or more"):
        train(RUN, data, tmp_path / "out", device="cpu", **{option: 0})


def test_a_folder_that_cannot_be_made_raises_one_line(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"cannot make the folder .*: give --out a folder"):
        train(RUN, data, tmp_path / "file")


def test_an_unknown_device_raises_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no device cuda:99 here"):
        train(RUN, data, tmp_path / "out", device="cuda:99")


def test_a_warning_counts_the_classes_with_a_single_photo(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
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
