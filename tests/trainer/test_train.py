"""The training loop: it learns, it goes on where it was stopped, and ranks change nothing."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.faces.embed import OnnxEmbedder
from tests.builders import exported_faces, trainings
from trainer import checkpoint
from trainer.data.batches import Stream
from trainer.data.shards import open_faces
from trainer.embedder import Embedder
from trainer.learner import make
from trainer.recipes import recipe
from trainer.run import Run
from trainer.train import TrainingResult, move, train, update

RUN = replace(recipe("sample"), batch=16, steps=20, warmup=3, embedding=32)
SMALL = replace(RUN, input="3x48x48", batch=8)  # what runs in processes of its own, several times


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported_faces.parquet(tmp_path_factory.mktemp("data") / "export", 8, 8)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return train(RUN, data, tmp_path_factory.mktemp("trained") / "out", device="cpu", log_every=1)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(out / "last.pt").backbone


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_it_learns_and_leaves_a_model(trained: TrainingResult) -> None:
    out = trained.checkpoint.parent
    found = trainings.losses(out)
    assert np.mean(found[-5:]) < 0.5 * np.mean(found[:3])
    assert (trained.photos, trained.classes, trained.steps) == (64, 8, 20)
    assert {"last.pt", "model.onnx", "result.json", "log.jsonl", "tensorboard"} <= {p.name for p in out.iterdir()}
    assert any((out / "tensorboard").iterdir())


def test_a_finished_training_is_found_not_repeated(trained: TrainingResult, data: Path) -> None:
    out = trained.checkpoint.parent
    before = {p: p.stat().st_mtime_ns for p in out.glob("*.pt")}
    assert train(RUN, data, out, device="cpu") == trained
    assert {p: p.stat().st_mtime_ns for p in out.glob("*.pt")} == before


@pytest.mark.parametrize("flip", ["none", "add", "concatenate"])
def test_a_checkpoint_embeds_like_its_onnx(trained: TrainingResult, flip: str) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (9, 112, 112, 3), dtype=np.uint8)
    ours, theirs = Embedder(str(trained.checkpoint), flip), OnnxEmbedder(str(trained.onnx), flip)
    a, b = ours(faces), theirs(faces)
    assert ours.dim == theirs.dim == a.shape[1]
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 1 - 1e-5
    assert ours(faces[:0]).shape == (0, ours.dim)


def test_an_embedder_computes_on_one_thread_and_leaves_the_others_theirs(trained: TrainingResult) -> None:
    faces = np.zeros((2, 112, 112, 3), np.uint8)

    def threads() -> tuple[int, int]:
        before = torch.get_num_threads()
        Embedder(str(trained.checkpoint))(faces)
        return before, torch.get_num_threads()

    torch.set_num_threads(2)
    try:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(threads).result() == (2, 1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_killed_in_an_epoch_and_run_again_gives_the_same_weights(
    data: Path, tmp_path: Path, trained: TrainingResult
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    trainings.run_ranks(SMALL, data, whole, count=1, keep_every=7)
    trainings.kill_at(trainings.ranks(SMALL, data, broken, count=1, keep_every=7), 9)
    assert checkpoint.load(broken / "last.pt").seen == 7 * 8
    trainings.run_ranks(SMALL, data, broken, count=1, keep_every=7)
    assert same(weights(whole), weights(broken))
    assert trainings.losses(broken)[-13:] == trainings.losses(whole)[-13:]


@pytest.mark.slow
def test_a_signal_keeps_what_was_learnt_and_the_same_command_goes_on(data: Path, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("which", [0, 1])
def test_backbone_and_classifier_move_together_or_not_at_all(data: Path, which: int) -> None:
    run = replace(SMALL, precision="fp16", optimizer="sgd")
    parts = make(run, 8, torch.device("cpu"))
    stream = iter(Stream(open_faces(data), run))
    update(run, parts, stream, 0)

    def values() -> list[torch.Tensor]:
        return [p.detach().clone() for o in parts.optimizers for g in o.param_groups for p in g["params"]]

    before, scale = values(), parts.scaler.get_scale()
    grads = [p.grad for p in parts.optimizers[which].param_groups[0]["params"] if p.grad is not None]
    grads[-1].view(-1)[0] = torch.inf
    move(run, parts)
    assert all(torch.equal(a, b) for a, b in zip(before, values(), strict=True))
    assert parts.scaler.get_scale() == scale / 2
    for step in range(1, 12):  # the scale falls to where nothing overflows
        update(run, parts, stream, step)
    assert not any(torch.equal(a, b) for a, b in zip(before, values(), strict=True) if a.ndim > 1)


def test_what_a_sampled_step_moves_is_a_field_of_the_run() -> None:
    for way in ("sparse", "dense"):
        fc = make(replace(SMALL, sample_rate=0.5, update=way), 8, torch.device("cpu")).objective.fc
        assert fc is not None
        assert fc.sparse == (way == "sparse")


def test_two_ranks_have_the_losses_of_one_and_one_goes_on_where_two_stopped(tmp_path: Path) -> None:
    data = exported_faces.parquet(tmp_path / "data", 8, 8)
    run = replace(SMALL, augment=0.5, sample_rate=0.1, optimizer="sgd", lr=0.02)
    trainings.run_ranks(run, data, tmp_path / "one", count=1)
    trainings.run_ranks(run, data, tmp_path / "two", count=2, keep_every=10)
    one, two = trainings.losses(tmp_path / "one"), trainings.losses(tmp_path / "two")
    assert len(one) == len(two) == 20
    assert two == pytest.approx(one, abs=1e-5)
    trainings.kill_at(trainings.ranks(run, data, tmp_path / "killed", count=2, keep_every=10), 13)
    assert checkpoint.load(tmp_path / "killed/last.pt").seen == 10 * 8
    trainings.run_ranks(run, data, tmp_path / "killed", count=1, keep_every=10)
    assert trainings.losses(tmp_path / "killed")[-10:] == pytest.approx(one[-10:], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("precision", "bf16"), ("precision", "fp16"), ("accumulate", 2), ("optimizer", "sgd"), ("input", "1x56x56")],
)
def test_every_way_of_training_learns(data: Path, tmp_path: Path, name: str, value: object) -> None:
    train(replace(SMALL, **{name: value, "steps": 8}), data, tmp_path / "out", device="cpu", log_every=1)
    found = trainings.losses(tmp_path / "out")
    assert np.mean(found[-3:]) < np.mean(found[:3])


def test_recomputing_gives_the_same_losses(data: Path, tmp_path: Path) -> None:
    for way in (True, False):
        train(replace(SMALL, recompute=way, steps=4), data, tmp_path / str(way), device="cpu", log_every=1)
    assert trainings.losses(tmp_path / "True") == pytest.approx(trainings.losses(tmp_path / "False"), rel=1e-5)


def test_another_run_or_other_data_in_the_same_folder_is_refused(
    trained: TrainingResult, data: Path, tmp_path: Path
) -> None:
    out = trained.checkpoint.parent
    with pytest.raises(UserError, match=r"holds another training \(backbone sample and mobilefacenet\)"):
        train(replace(RUN, backbone="mobilefacenet"), data, out)
    with pytest.raises(UserError, match="holds a training on other data"):
        train(RUN, exported_faces.parquet(tmp_path / "other", 7, 8), out)
    assert train(RUN, shutil.copytree(data, tmp_path / "copy"), out, device="cpu").steps == RUN.steps


@pytest.mark.parametrize("make_data", [exported_faces.parquet, exported_faces.record_io])
def test_other_pictures_under_the_same_labels_are_other_data(make_data: Callable[..., Path], tmp_path: Path) -> None:
    """Photos by photo the labels are equal; only what the pictures show differs."""
    one, other, copy = (tmp_path / name for name in ("one", "other", "copy"))
    make_data(one), make_data(other, seed=7), make_data(copy)
    faces, others = open_faces(one), open_faces(other)
    assert np.array_equal(np.bincount(faces.labels), np.bincount(others.labels))
    assert faces.digest == open_faces(copy).digest != others.digest


def test_a_loss_that_is_not_finite_stops_with_advice(data: Path, tmp_path: Path) -> None:
    run = replace(RUN, lr=1e18, clip=0.0, warmup=0, optimizer="sgd")
    with pytest.raises(UserError, match=r"no longer finite at step \d+: try a lower --lr"):
        train(run, data, tmp_path / "out", device="cpu", log_every=1)


@pytest.mark.parametrize("name", ["cut", "html", "empty", "pickle"])
def test_what_is_no_checkpoint_is_one_line(trained: TrainingResult, tmp_path: Path, name: str) -> None:
    whole = trained.checkpoint.read_bytes()
    bad = {"cut": whole[: len(whole) // 2], "html": b"<html>", "empty": b"", "pickle": b"cos\nsystem\n(S'true'\ntR."}
    file = tmp_path / "last.pt"
    file.write_bytes(bad[name])
    with pytest.raises(UserError, match="is no checkpoint, or was cut short"):
        Embedder(str(file))(np.zeros((1, 112, 112, 3), np.uint8))


def test_weights_of_another_network_are_one_line(trained: TrainingResult, tmp_path: Path) -> None:
    kept = checkpoint.load(trained.checkpoint)
    file = tmp_path / "last.pt"
    checkpoint.save(file, replace(kept, run=replace(kept.run, backbone="mobilefacenet")))
    with pytest.raises(UserError, match="are not those of mobilefacenet"):
        checkpoint.load_backbone(file)


def test_an_unknown_device_is_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no device cuda:99 here"):
        train(RUN, data, tmp_path / "out", device="cuda:99")


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk takes root")
def test_a_full_disk_leaves_the_last_good_checkpoint(trained: TrainingResult, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    kept = checkpoint.load(trained.checkpoint)
    size = trained.checkpoint.stat().st_size * 3 // 2
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no permission to mount")
    try:
        checkpoint.save(disk / "last.pt", kept)
        with pytest.raises(UserError, match=r"no room left on the disk at a checkpoint .*last.pt is as it was"):
            checkpoint.save(disk / "last.pt", replace(kept, seen=1))
        assert checkpoint.load(disk / "last.pt").seen == kept.seen
        assert [p.name for p in disk.iterdir()] == ["last.pt"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_no_room_is_told_by_its_number() -> None:
    assert checkpoint._full(OSError(errno.ENOSPC, "no space"), Path("/"))


def test_classes_of_one_photo_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [*exported_faces.pictures(3, 6), (3, exported_faces.pictures(1, 1)[0][1])]
    exported_faces.write(folder / "part-00000.parquet", rows)
    with caplog.at_level("WARNING", logger="refinery"):
        train(Run(**{**RUN.__dict__, "steps": 1}), folder, tmp_path / "out", device="cpu")
    assert "1 classes have a single photo" in caplog.text


def test_result_is_plain_json(trained: TrainingResult) -> None:
    value = json.loads((trained.checkpoint.parent / "result.json").read_text())
    assert value["checkpoint"] == "last.pt"
    assert value["loss"] == trained.loss
