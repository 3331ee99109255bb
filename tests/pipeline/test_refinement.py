"""Unreferenced files: `clean` removes what a killed run left half-written, and nothing while a run is in progress."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from flows.refine.clean import clean
from pipeline.refinement import latest, unreferenced_files
from pipeline.root_lock import RootBusyError, root_lock
from tests.builders.processes.lock_holder import lock_holder
from tests.builders.tables.drawn_refinement import refined

KILLED = """
import os, pathlib, signal, sys
from pipeline.tables import storage
pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
storage.put(sys.argv[1], sys.argv[2], b"half")
"""


@pytest.mark.parametrize(
    "name",
    [
        "faces/0123456789abcdef0123/0123456789abcdef0123.parquet",
        "faces/0123456789abcdef0123.json",
        "refinement.json",
        "ledger/0123.parquet",
        "asked/cursor.json",
    ],
)
def test_a_file_that_a_killed_run_left_half_written_is_removed(tmp_path: Path, name: str) -> None:
    refined(str(tmp_path))
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    process = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), name], check=False)
    assert process.returncode == -signal.SIGKILL
    (left,) = {p for p in tmp_path.rglob("*") if p.is_file()} - before
    assert str(left.relative_to(tmp_path)) in unreferenced_files(str(tmp_path), min_age=timedelta(0))
    clean(str(tmp_path), min_age=0)
    assert not left.exists()
    assert latest(str(tmp_path)).labels.read().num_rows


def test_nothing_is_removed_while_the_root_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of days has shards that no manifest names yet and that are older than the age that clean asks for."""
    refined(str(tmp_path))
    shard = tmp_path / "faces/0123456789abcdef0123/0123456789abcdef0123.parquet"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"a shard of the run that goes on")
    os.utime(shard, (1, 1))
    monkeypatch.setattr("flows.refine.clean.root_lock", partial(root_lock, wait_s=0.1))
    with lock_holder(tmp_path, 60):
        assert sum(clean(str(tmp_path), dry_run=True).files.values()) == 1, "a listing needs no lock"
        with pytest.raises(RootBusyError):
            clean(str(tmp_path))
    assert shard.exists()
    clean(str(tmp_path))
    assert not shard.exists()
