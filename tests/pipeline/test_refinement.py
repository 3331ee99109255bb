"""refinement.json, damaged in many ways; and unreferenced files, which are removed when no run is in progress."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows.refine.clean import clean
from flows.refine.verify import verify
from pipeline.errors import UserError
from pipeline.refinement import former_tables, latest
from pipeline.root_lock import RootBusyError, root_lock
from pipeline.tables.digests import content_digest
from pipeline.unreferenced import unreferenced_files
from tests.builders.processes.lock_holder import lock_holder
from tests.builders.tables.drawn_refinement import drawn_root, refined

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


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a refinement, which no test may change."""
    return drawn_root(tmp_path_factory)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("tables",), None),
        (("tables",), []),
        (("tables", "labels"), None),
        (("tables", "labels"), "x"),
        (("tables", "labels"), {}),
        (("format",), "x"),
        (("params",), None),
        (("params",), 3),
        (("params", "sources"), {"a": 3}),
        (("params", "sources"), []),
        (("params", "ignored"), 3),
        (("thresholds",), None),
        (("thresholds",), []),
        (("thresholds",), {"merge": "x"}),
        (("account",), None),
        (("account", "removed"), []),
        (("account", "kept"), "x"),
    ],
)
def test_a_damaged_refinement_file_is_a_user_error_and_is_no_obstacle(
    finished: Path, tmp_path: Path, path: tuple[str, ...], value: Any
) -> None:
    """value: what stands at a place of the file; None: nothing."""
    root = shutil.copytree(finished, tmp_path / "root")
    file = root / "refinement.json"
    content = json.loads(file.read_text())
    del content["digest"]  # as an earlier version wrote it: nothing but the values shows the damage
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"refinement\.json is damaged .*: run `refinery refine"):
        latest(str(root))
    former_tables(str(root))


def test_another_number_in_the_refinement_file_is_noticed_and_a_file_without_digest_is_read(
    finished: Path, tmp_path: Path
) -> None:
    """One bit makes another number of it, which no check of types would notice."""
    root = shutil.copytree(finished, tmp_path / "root")
    file, kept = root / "refinement.json", latest(str(finished)).account.kept
    right = file.read_text()
    file.write_text(right.replace(f'"kept": {kept}', f'"kept": {kept ^ 1}'))
    with pytest.raises(UserError, match="its content is not what was written"):
        latest(str(root))
    assert [fault.name for fault in verify(str(root)).faults] == ["refinement.json"]
    content = json.loads(right)
    assert content.pop("digest")
    del content["ledger"]
    file.write_text(json.dumps(content))
    assert latest(str(root)).account == latest(str(finished)).account
    assert not verify(str(root)).faults


def test_verify_tells_that_the_refinement_file_is_gone(finished: Path, tmp_path: Path) -> None:
    root = shutil.copytree(finished, tmp_path / "root")
    (root / "refinement.json").unlink()
    verified = verify(str(root))
    assert [(fault.name, fault.what.partition(";")[0]) for fault in verified.faults] == [("refinement.json", "missing")]
    assert verified.exit_status() == 1
    shutil.rmtree(root / "labels")  # as in a first run that has not come to its end
    assert verify(str(root)).exit_status() == 0


def test_a_refinement_that_an_earlier_version_published_is_read(tmp_path: Path) -> None:
    """It had the digest of each manifest's bytes, and no digest of itself."""
    refinement, _ = refined(str(tmp_path))
    file = tmp_path / "refinement.json"
    value = json.loads(file.read_text())
    for entry in value["tables"].values():
        del entry["content"]
        entry["digest"] = content_digest((tmp_path / entry["table"] / f"{entry['address']}.json").read_bytes())
    del value["digest"], value["ledger"]
    file.write_text(json.dumps(value))
    assert latest(str(tmp_path)) == refinement
    assert not verify(str(tmp_path)).faults
