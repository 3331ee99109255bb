"""The command line: one line for every mistake, exit statuses, JSON on standard output."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flows.prefect_runtime.flow_run import PREFECT_VARIABLE
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.processes.command_line import Command, error_line, options
from tests.builders.small_world import World


def test_a_root_without_a_refinement_is_a_one_line_error(refinery: Command, tmp_path: Path) -> None:
    for command in (
        ["labels", tmp_path, "--out", tmp_path / "o.tsv"],
        ["export", tmp_path, "--out", tmp_path / "o"],
        ["clean", tmp_path],
    ):
        assert "no finished refinement at" in error_line(refinery(*command))


def test_usage_mistakes_have_status_2_and_help_names_units(refinery: Command) -> None:
    assert refinery("refine", "--nonsense")[0] == 2
    assert (
        refinery("refine", "ROOT", "image-folder", "P", "--detector", "d", "--embedder", "e", "--shards", "-3")[0] == 2
    )
    assert "is not UTF-8" in error_line(refinery("labels", "\udcff\udcfe", "--out", "x"))
    status, out, _ = refinery("refine", "--help")
    assert status == 0
    for word in ("ROOT", "--detector", "--min-faces", "Photos ", "--workers", "default", "Example:"):
        assert word in out


@pytest.mark.slow
@pytest.mark.material
def test_a_full_disk_is_one_line_and_the_next_run_goes_on(refinery: Command, few: World, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], check=False).returncode
    ):
        pytest.skip("mounting a small disk takes root")
    try:
        line = error_line(refinery("refine", disk / "root", "image-folder", few.photos, *options(few.models)))
        assert "no room left on the disk" in line
        assert not (disk / "root/refinement.json").exists()
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        assert refinery("refine", disk / "root", "image-folder", few.photos, *options(few.models))[0] == 0
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
@pytest.mark.material
def test_only_json_is_on_standard_output(refinery: Command, world: World, refined: Path, tmp_path: Path) -> None:
    status, out, _ = refinery("refine", refined, "image-folder", world.photos, *options(world.models), "--json")
    result = json.loads(out)
    assert status == 0
    assert result["account"]["ingested"] == len(world.truth)
    assert result["thresholds"]
    status, out, _ = refinery("labels", refined, "--out", tmp_path / "o.tsv", "--json")
    assert json.loads(out)["photos"] == len(world.truth)
    assert (tmp_path / "o.tsv").read_text().splitlines()[0].split("\t") == [
        "key",
        "claimed",
        "identity",
        "reason",
        "score",
    ]


@pytest.mark.slow
@pytest.mark.material
def test_clean_removes_only_tables_that_nothing_refers_to(
    refinery: Command, world: World, refined: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(refined, root)
    (root / "mine.txt").write_text("mine")
    (root / "faces/0123456789abcdef0123").mkdir(parents=True)
    (root / "faces/0123456789abcdef0123/0123456789abcdef0123.parquet").write_bytes(b"old")
    assert "0 files" in refinery("clean", root)[1], "younger than an hour"
    assert "would be removed" in refinery("clean", root, "--min-age", 0, "--dry-run")[1]
    assert "removed" in refinery("clean", root, "--min-age", 0)[1]
    assert (root / "mine.txt").exists()
    assert not (root / "faces/0123456789abcdef0123/0123456789abcdef0123.parquet").exists()
    assert refinery("labels", root, "--out", tmp_path / "o.tsv")[0] == 0
    assert refinery("export", root, "--out", tmp_path / "out", "--format", "folder")[0] == 0


@pytest.mark.parametrize("gone", [False, True])
def test_ctrl_c_says_that_the_work_goes_on_from_there(
    refinery: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gone: bool
) -> None:
    def interrupted() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            if gone:  # the server of the run, which is told of its end
                raise ConnectionRefusedError("no server answers")  # noqa: B904  as it comes about
            raise

    monkeypatch.delenv(PREFECT_VARIABLE)
    monkeypatch.setattr("flows.prefect_runtime.recorded_flow._server", interrupted)
    (tmp_path / "photos").mkdir()
    models = options({"detector": str(DETECTOR), "embedder": str(EMBEDDER)})
    status, _, err = refinery("refine", tmp_path / "root", "image-folder", tmp_path / "photos", *models, "--prefect")
    assert status == 130
    assert err.splitlines()[-1] == "refinery: stopped; what is finished stays, and the same command goes on from there"
