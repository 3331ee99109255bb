"""A started program ends with the process that started it, however that ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.child_process import end_child, start_child
from tests.builders.processes.waiting import wait_until

# starts a shell, whose child is what a server's own child is; the shell writes both numbers when they run
PARENT = """
import os, signal, sys, time
from pipeline.child_process import start_child
signal.signal(signal.SIGHUP, signal.SIG_DFL)
start_child(["sh", "-c", f"sleep 600 & echo $$ $! > {sys.argv[1]}.tmp; mv {sys.argv[1]}.tmp {sys.argv[1]}; wait"],
            env=os.environ)
time.sleep(600)
"""


def gone(number: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_the_program_and_its_children_end_with_the_parent(tmp_path: Path, sign: signal.Signals) -> None:
    written = tmp_path / "numbers"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(written)])
    try:
        wait_until(written.exists, "it did not start")
        numbers = [int(word) for word in written.read_text().split()]
        assert not any(map(gone, numbers))
        parent.send_signal(sign)
        wait_until(lambda: all(map(gone, numbers)), "still running")
    finally:
        parent.kill()
        parent.wait()


# what another library starts, a run of Prefect for example; it ignores SIGTERM, as a run that waits for a dead server
ORPHAN = """
import os, signal, subprocess, sys, time
from pipeline import child_process
child_process.PARENT_POLL_S, child_process.ORPHAN_TIMEOUT_S = 0.02, 0.1
if sys.argv[2:]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child_process.end_with_parent(int(sys.argv[2]))
    open(sys.argv[1] + ".tmp", "w").write(str(os.getpid()))
    os.rename(sys.argv[1] + ".tmp", sys.argv[1])
else:
    subprocess.Popen([sys.executable, "-c", sys.orig_argv[2], sys.argv[1], str(os.getpid())])
time.sleep(600)
"""


def test_a_process_that_another_library_started_ends_with_its_parent(tmp_path: Path) -> None:
    written = tmp_path / "number"
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN, str(written)])
    try:
        wait_until(written.exists, "it did not start")
        child = int(written.read_text())
        assert not gone(child)
        parent.kill()
        parent.wait()
        wait_until(lambda: gone(child), "still running")
    finally:
        parent.kill()
        parent.wait()


def test_ending_a_child_ends_a_program_that_ignores_sigterm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pipeline.child_process.END_TIMEOUT_S", -4.5)  # half a second for SIGTERM
    stubborn = f"trap '' TERM; echo $$ > {tmp_path}/number; sleep 600 & wait; sleep 600"
    child = start_child(["sh", "-c", stubborn], env=dict(os.environ))
    number = tmp_path / "number"
    wait_until(lambda: number.exists() and number.read_text(), "it did not start")
    end_child(child)
    assert child.returncode == -signal.SIGKILL
    wait_until(lambda: gone(int(number.read_text())), "still running")


def test_status_and_output_are_those_of_the_program_and_its_files_are_private(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as output:
        child = start_child(
            ["sh", "-c", "echo $WORD; touch made; exit 3"],
            env={"WORD": "hello", "PATH": os.environ["PATH"]},
            output=output,
            folder=tmp_path,
        )
        assert child.wait(30) == 3
    end_child(child)
    assert (tmp_path / "out").read_text() == "hello\n"
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600
