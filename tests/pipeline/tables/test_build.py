"""build(): a table is made once and complete, with the same bytes by threads, processes and clusters."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from dask import config
from threadpoolctl import threadpool_info, threadpool_limits

from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.root_lock import root_lock
from pipeline.tables import run_dask, storage
from pipeline.tables.build import ShardError, build
from pipeline.tables.table import load, read_shard
from tests.builders.file_trees import file_bytes
from tests.builders.tables.squares_table import SCHEMA, squares


def test_a_table_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    first = build(
        str(tmp_path / "r"), "t", squares, [1, 2, 3], schema=SCHEMA, params={"times": 2}, unhashed={"log": log}
    )
    again = build(
        str(tmp_path / "r"), "t", squares, [1, 2, 3], schema=SCHEMA, params={"times": 2}, unhashed={"log": log}
    )
    assert again == first
    assert len(first) == 6
    assert sorted(Path(log).read_text().split()) == ["1", "2", "3"]
    assert first.read(["name"])["name"].to_pylist() == ["1-0", "1-1", "2-0", "2-1", "3-0", "3-1"]


def test_a_table_of_a_newer_version_raises_a_user_error(tmp_path: Path) -> None:
    table = build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 2})
    file = tmp_path / f"t/{table.address}.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps(manifest | {"versions": manifest["versions"] | {"format": 2}}))
    message = r"was written by a newer version of refinery \(format 2, this one reads 1\): update, or give another root"
    with pytest.raises(UserError, match=message):
        build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 2})
    storage.put_json(str(tmp_path), "refinement.json", {"tables": {}, "format": 2})
    with pytest.raises(UserError, match=message):
        latest(str(tmp_path))


def test_a_shard_that_two_tables_share_is_made_once(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    build(str(tmp_path / "r"), "t", squares, [1, 2], schema=SCHEMA, params={"times": 2}, unhashed={"log": log})
    build(str(tmp_path / "r"), "t", squares, [1, 2, 3], schema=SCHEMA, params={"times": 2}, unhashed={"log": log})
    assert sorted(Path(log).read_text().split()) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "change", [{"params": {"times": 3}}, {"version": 2}, {"schema": SCHEMA.append(pa.field("y", pa.int8()))}]
)
def test_a_change_of_parameters_version_or_schema_changes_the_address(tmp_path: Path, change: dict) -> None:
    base = build(str(tmp_path), "t", squares, [], schema=SCHEMA, params={"times": 2})
    changed = {"schema": SCHEMA, "params": {"times": 2}, **change}
    assert build(str(tmp_path), "t", squares, [], **changed).address != base.address


def test_unhashed_arguments_do_not_change_the_address(tmp_path: Path) -> None:
    first = build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 2}, unhashed={"pause": 0.0})
    assert (
        build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 2}, unhashed={"pause": 0.001}) == first
    )


@pytest.mark.slow
def test_processes_make_the_same_bytes_as_threads(tmp_path: Path) -> None:
    trees = []
    for workers in (None, 1, 3):
        root = tmp_path / str(workers)
        build(str(root), "t", squares, list(range(9)), schema=SCHEMA, params={"times": 3}, workers=workers)
        trees.append(file_bytes(root))
    assert trees[0] == trees[1] == trees[2]


def blas_threads(part: int = 0, **_: object) -> pa.Table:
    """A shard with the numbers of threads of numpy's and scipy's BLAS; that of faiss (OpenMP) may have more."""
    numbers = [lib["num_threads"] for lib in threadpool_info() if lib.get("threading_layer") == "pthreads"]
    return pa.table({"threads": pa.array(numbers, pa.int32())})


def test_blas_has_one_thread_wherever_a_shard_is_made(tmp_path: Path) -> None:
    """With several threads BLAS adds in another order, so that a table's bytes would depend on the number of cores."""
    three = {"distributed.nanny.pre-spawn-environ.OPENBLAS_NUM_THREADS": 3}
    with threadpool_limits(3, "blas"), config.set(three):
        run_dask.connect.cache_clear()  # workers of earlier tests have another environment
        for name, workers in (("threads", None), ("processes", 1)):
            table = build(
                str(tmp_path), name, blas_threads, [1, 2], workers=workers, schema=pa.schema([("threads", pa.int32())])
            )
            assert set(table.read()["threads"].to_pylist()) == {1}
        assert set(blas_threads()["threads"].to_pylist()) == {3}


def test_an_error_names_the_shard_and_its_part_and_finished_shards_stay(tmp_path: Path) -> None:
    root, log = str(tmp_path / "root"), str(tmp_path / "log")
    with pytest.raises(ShardError, match=r"shard 3 of table t \(from 13\) failed: ZeroDivisionError: thirteen"):
        build(root, "t", squares, [1, 2, 3, 13], schema=SCHEMA, params={"times": 1}, unhashed={"log": log})
    assert len([n for n in storage.list_files(root, "t") if n.endswith(".parquet")]) >= 2
    assert not [n for n in storage.list_files(root, "t") if n.endswith(".json")]


def test_a_user_error_in_a_shard_is_raised_unchanged(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the folder 14 is not there: give another"):
        build(str(tmp_path), "t", squares, [14], schema=SCHEMA, params={"times": 1})


@pytest.mark.slow
def test_an_address_without_a_cluster_raises_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 1}, workers="tcp://127.0.0.1:9")


@pytest.mark.slow
def test_a_run_after_a_killed_one_makes_only_missing_shards_and_the_same_bytes(tmp_path: Path) -> None:
    script = (
        "import signal, sys\n"
        "from pipeline.tables.build import build\n"
        "from tests.builders.processes.signal_itself import signal_at_shard\n"
        "from tests.builders.tables.squares_table import SCHEMA, squares\n"
        "signal_at_shard('t', 3, signal.SIGKILL)\n"
        "build(sys.argv[1], 't', squares, list(range(8)), schema=SCHEMA, params={'times': 2},\n"
        "      unhashed={'log': sys.argv[2], 'pause': .1})"
    )
    root, log = tmp_path / "killed", tmp_path / "log"
    killed = subprocess.run([sys.executable, "-c", script, str(root), str(log)], check=False)
    assert killed.returncode == -signal.SIGKILL
    before = {n for n in file_bytes(root) if n.endswith(".parquet") and "/." not in n}
    assert 3 <= len(before) < 8
    log.unlink()
    build(str(root), "t", squares, list(range(8)), schema=SCHEMA, params={"times": 2}, unhashed={"log": str(log)})
    build(str(tmp_path / "whole"), "t", squares, list(range(8)), schema=SCHEMA, params={"times": 2})
    assert len(log.read_text().split()) == 8 - len(before)
    left = {n: b for n, b in file_bytes(root).items() if not n.endswith(".tmp")}
    assert left == file_bytes(tmp_path / "whole")


def test_a_damaged_shard_that_no_manifest_lists_is_made_again(tmp_path: Path) -> None:
    table = build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 2})
    (tmp_path / f"t/{table.address}.json").unlink()
    (tmp_path / table.shards[0].path).write_bytes(b"PAR1 cut")
    assert build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 2}).read().num_rows == 2


def test_an_unreadable_shard_raises_a_user_error(tmp_path: Path) -> None:
    table = build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 2})
    shard = tmp_path / table.shards[0].path
    shard.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"is damaged .* is set aside as .*parquet\.damaged"):
        read_shard(str(tmp_path), table.shards[0])
    assert not shard.exists()
    assert build(str(tmp_path), "t", squares, [1], schema=SCHEMA, params={"times": 2}).read().num_rows == 2


def test_the_manifest_holds_version_parameters_and_rows(tmp_path: Path) -> None:
    table = build(str(tmp_path), "t", squares, [1, 2], schema=SCHEMA, version=7, params={"times": 2})
    manifest = json.loads((tmp_path / f"t/{table.address}.json").read_text())
    assert (manifest["rows"], manifest["version"], manifest["params"]) == (4, 7, {"times": 2})
    assert [s["rows"] for s in manifest["shards"]] == [2, 2]
    assert load(str(tmp_path), "t", table.address) == table


def test_a_root_may_be_an_fsspec_address(tmp_path: Path) -> None:
    table = build("memory://somewhere/root", "t", squares, [1, 2], schema=SCHEMA, params={"times": 2})
    assert build("memory://somewhere/root", "t", squares, [1, 2], schema=SCHEMA, params={"times": 2}) == table
    assert table.read() == build(str(tmp_path), "t", squares, [1, 2], schema=SCHEMA, params={"times": 2}).read()


def test_an_unknown_kind_of_address_raises_a_user_error() -> None:
    with pytest.raises(UserError, match="cannot open the root nowhere://x"):
        build("nowhere://x", "t", squares, [1], schema=SCHEMA, params={"times": 2})


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk takes root")
def test_a_full_disk_raises_a_user_error_and_leaves_no_incomplete_table(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no permission to mount")
    try:
        with pytest.raises(UserError, match="no room left on the disk while writing"):
            build(str(disk), "t", squares, list(range(1, 12)), schema=SCHEMA, params={"times": 5000})
        assert not [n for n in storage.list_files(str(disk), "t") if not n.endswith((".parquet", ".tmp"))]
        table = build(str(disk), "t", squares, [1], schema=SCHEMA, params={"times": 1})
        assert table.read().num_rows == 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk takes root")
def test_a_read_only_disk_raises_a_user_error_and_a_later_run_continues(tmp_path: Path) -> None:
    """Linux mounts a file system read-only after a disk error: here during a build, and before a first one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no permission to mount")
    try:
        build(str(disk), "t", squares, [1, 2], schema=SCHEMA, params={"times": 2})
        before = file_bytes(disk)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(UserError, match="Read-only file system: give a folder that can be written to"):
            build(str(disk), "t", squares, [1, 2, 3], schema=SCHEMA, params={"times": 2})
        with pytest.raises(UserError, match="Read-only file system"), root_lock(str(disk / "new")):
            pytest.fail("there is no such root")
        again = build(str(disk), "t", squares, [1, 2], schema=SCHEMA, params={"times": 2})
        assert again.read().num_rows == 4, "the existing table is read"
        assert file_bytes(disk) == before
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert build(str(disk), "t", squares, [1, 2, 3], schema=SCHEMA, params={"times": 2}).read().num_rows == 6
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_table_without_rows_is_found_like_any_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = build(str(tmp_path), "t", squares, [1, 2], schema=SCHEMA, params={"times": 0})
    manifest = tmp_path / f"t/{first.address}.json"
    before = manifest.stat().st_mtime_ns
    with caplog.at_level("INFO", logger="refinery"):
        assert build(str(tmp_path), "t", squares, [1, 2], schema=SCHEMA, params={"times": 0}) == first
    assert "t: found, 0 rows" in caplog.text
    assert manifest.stat().st_mtime_ns == before
