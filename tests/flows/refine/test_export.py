"""`refinery export` in every format: its bytes, what a kill leaves, its account, and how it comes back as a source."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flows.refine.export import export
from pipeline.refined.export import FORMATS
from pipeline.refinement import latest
from tests.builders.file_trees import file_bytes
from tests.builders.photos.refined_world import refined_world_of_run
from tests.builders.processes.command_line import Command, error_line

pytestmark = pytest.mark.slow
NEW = ("huggingface", "webdataset", "fiftyone")
KILLED = """
import os, signal, sys
from flows.refine.export import export
from pipeline.refined import export as formats
def end(folder, *rest):
    assert any(folder.iterdir())
    os.kill(os.getpid(), signal.SIGKILL)
formats.described = end
root, out, *names = sys.argv[1:]
for name in names:
    child = os.fork()
    if not child:
        export(root, f"{out}/{name}", format=name)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.fixture(scope="module")
def root(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the root, to which exports write the refined table."""
    whole = refined_world_of_run(drawn_world, tmp_path_factory)
    return Path(shutil.copytree(whole, tmp_path_factory.mktemp("exports") / "root"))


def test_a_killed_export_leaves_nothing_to_the_next_one_which_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    words = [str(root), str(tmp_path / "out"), *NEW]
    subprocess.run([sys.executable, "-c", KILLED, *words], check=True)
    left = [p.name for p in (tmp_path / "out").iterdir()]
    assert sorted(name[1:].partition(".")[0] for name in left if name.endswith(".tmp")) == sorted(NEW)
    assert len(left) == len(NEW), "none is complete"
    for name in NEW:
        export(str(root), tmp_path / "out" / name, format=name)
        export(str(root), tmp_path / "whole" / name, format=name)
    assert file_bytes(tmp_path / "out", unfinished=True) == file_bytes(tmp_path / "whole", unfinished=True)


def test_any_number_of_workers_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    other = shutil.copytree(root, tmp_path / "root")
    for table in ("identities", "placed", "refined"):
        shutil.rmtree(other / table, ignore_errors=True)
    for name in NEW:
        export(str(root), tmp_path / "threads" / name, format=name, shard_size="7")
        export(str(other), tmp_path / "processes" / name, format=name, shard_size="7", workers="2")
    assert file_bytes(tmp_path / "threads") == file_bytes(tmp_path / "processes")
    shards = sorted((tmp_path / "threads/huggingface/data").iterdir())
    assert len(shards) == -(-latest(str(root)).account.kept // 7)


@pytest.mark.parametrize("format", FORMATS)
def test_every_export_is_verified_and_prints_its_account(
    root: Path, tmp_path: Path, refinery: Command, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command says that it is done, on another day, too, as after a kill that came after the last byte."""
    status, printed, err = refinery("export", root, "--out", tmp_path / "out", "--format", format)
    account = latest(str(root)).account
    assert status == 0, err
    assert f"{format} data set of {account.kept} photos of {account.identities_kept} identities" in printed
    if format == "fiftyone":
        assert f"and of {sum(account.removed.values())} removed photos" in printed
        assert all(f"{n} {reason}" in printed for reason, n in account.removed.items())
    assert ("its licence is not stated" in printed) == (format == "huggingface")
    assert refinery("verify", tmp_path / "out")[0] == 0
    files = file_bytes(tmp_path / "out")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    status, printed, err = refinery("export", root, "--out", tmp_path / "out", "--format", format)
    assert status == 0, err
    assert f"holds this {format} data set of {account.kept} photos of {account.identities_kept} identities" in printed
    assert file_bytes(tmp_path / "out") == files
    names = files.keys()
    assert {"README.md", "identities.tsv", "_changes/removed.tsv", "_changes/relabelled.parquet"} < names
    assert ("croissant.json" in names) == (format == "huggingface")


def test_another_export_or_one_that_is_not_whole_is_not_taken_for_it(
    root: Path, tmp_path: Path, refinery: Command
) -> None:
    words = ("export", root, "--out", tmp_path / "out", "--format", "webdataset")
    assert refinery(*words)[0] == 0
    for more in (("--seed", 1), ("--shard-size", "7"), ("--licence", "mit"), ("--format", "parquet")):
        assert "holds something already" in error_line(refinery(*words, *more)), more
    assert "nothing was written" in refinery(*words)[1]
    (tmp_path / "out/train-00000.tar").rename(tmp_path / "away.tar")
    assert "holds something already" in error_line(refinery(*words))
    (tmp_path / "away.tar").rename(tmp_path / "out/train-00000.tar")
    (tmp_path / "out/_changes/removed.tsv").write_text("mine")
    assert "holds something already" in error_line(refinery(*words))


def test_mistakes_in_sizes_and_licences_are_one_line(root: Path, tmp_path: Path, refinery: Command) -> None:
    words = ("export", root, "--out", tmp_path / "out", "--format", "webdataset")
    assert "give a number of photos like 10000" in error_line(refinery(*words, "--shard-size", "ten"))
    for licence in ("CC BY", "a: b\n- c", "ftp://x", 'https://x"y'):
        assert "give an identifier like cc-by-nc-4.0" in error_line(refinery(*words, "--licence", licence))
    assert "zip" in error_line(refinery("export", root, "--out", tmp_path / "out", "--format", "zip"))
    assert not (tmp_path / "out").exists()


def test_boxes_of_samples_are_the_aligned_faces_in_the_users_photos(root: Path, tmp_path: Path) -> None:
    export(str(root), tmp_path / "out", format="fiftyone")
    samples: list[dict[str, Any]] = json.loads((tmp_path / "out/samples.json").read_text("utf-8"))["samples"]
    refinement = latest(str(root))
    faces = {row["face_id"]: row["jpeg"] for row in refinement.faces.read(["face_id", "jpeg"]).to_pylist()}
    labels = {row["face_id"]: row for row in refinement.labels.read().to_pylist()}
    assert {s["face_id"] for s in samples} == set(labels)
    alike = []
    for sample in samples:
        label = labels[sample["face_id"]]
        fate = "kept" if label["identity"] else "removed"
        assert fate in sample["tags"]
        assert sample.get("identity", {}).get("label") == label["identity"]
        assert sample.get("reason", "") == label["reason"]
        assert Path(sample["filepath"]).is_file()
        if faces[sample["face_id"]] is not None:
            alike.append(correlation(sample, faces[sample["face_id"]]))
    assert np.median(alike) > 0.8, "the box shows what was cut out, but for a small rotation"
    removed = [s for s in samples if s.get("reason") == "outlier"]
    assert removed
    assert all("outlier" in {f["label"] for f in s["findings"]["classifications"]} for s in removed)


def correlation(sample: dict[str, Any], jpeg: bytes) -> float:
    """Of the pixels in the box of a sample's main face with those of the aligned face."""
    photo = cv2.imread(sample["filepath"], cv2.IMREAD_GRAYSCALE)
    x, y, w, h = np.array(sample["faces"]["detections"][0]["bounding_box"]) * ([*photo.shape[::-1]] * 2)
    cut = cv2.resize(photo[int(y) : int(y + h), int(x) : int(x + w)], (112, 112), interpolation=cv2.INTER_AREA)
    face = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return float(np.corrcoef(cut.ravel(), face.ravel())[0, 1])
