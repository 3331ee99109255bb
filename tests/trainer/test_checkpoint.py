"""Checkpoints: a file that cannot be read raises one line; a full disk leaves the earlier file unchanged."""

import errno
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from tests.builders.flipped_bits import flip_bit
from trainer import checkpoint
from trainer.embedder import Embedder
from trainer.train import TrainingResult


@pytest.mark.parametrize("name", ["cut", "html", "empty", "pickle"])
def test_a_file_that_is_not_a_checkpoint_raises_one_line(trained: TrainingResult, tmp_path: Path, name: str) -> None:
    whole = trained.checkpoint.read_bytes()
    bad = {"cut": whole[: len(whole) // 2], "html": b"<html>", "empty": b"", "pickle": b"cos\nsystem\n(S'true'\ntR."}
    file = tmp_path / "last.pt"
    file.write_bytes(bad[name])
    with pytest.raises(UserError, match="is not a checkpoint, or is damaged"):
        Embedder(str(file))(np.zeros((1, 112, 112, 3), np.uint8))


def test_weights_of_another_network_raise_one_line(trained: TrainingResult, tmp_path: Path) -> None:
    saved = checkpoint.load(trained.checkpoint)
    file = tmp_path / "last.pt"
    checkpoint.save(file, replace(saved, run=replace(saved.run, backbone="mobilefacenet")))
    with pytest.raises(UserError, match="are not those of mobilefacenet"):
        checkpoint.load_backbone(file)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk takes root")
def test_a_full_disk_leaves_the_earlier_checkpoint_unchanged(trained: TrainingResult, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    saved = checkpoint.load(trained.checkpoint)
    size = trained.checkpoint.stat().st_size * 3 // 2
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no permission to mount")
    try:
        checkpoint.save(disk / "last.pt", saved)
        with pytest.raises(UserError, match=r"no room left on the disk.* the earlier last.pt is unchanged"):
            checkpoint.save(disk / "last.pt", replace(saved, seen=1))
        assert checkpoint.load(disk / "last.pt").seen == saved.seen
        assert [p.name for p in disk.iterdir()] == ["last.pt"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_recognised_by_its_error_number() -> None:
    assert checkpoint._disk_is_full(OSError(errno.ENOSPC, "no space"), Path("/"))


def test_no_flipped_bit_gives_other_weights(trained: TrainingResult, tmp_path: Path) -> None:
    right = checkpoint.load(trained.checkpoint)
    told = 0
    for seed in range(60):
        file = Path(shutil.copy(trained.checkpoint, tmp_path / "last.pt"))
        flip_bit(file, seed)
        try:
            read = checkpoint.load(file)
        except UserError:
            told += 1
            continue
        assert all(torch.equal(read.backbone[name], weights) for name, weights in right.backbone.items())
        assert (read.run, read.seen, read.data) == (right.run, right.seen, right.data)
    assert told > 50
