"""What is measured alone: seconds, memory of children too, and no child without its parent."""

import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from flows.benchmark.measured_process import LOOK_S, Memory, alone


def holding(megabytes):
    child = subprocess.Popen([sys.executable, "-c", f"x = b'1' * {megabytes} * 1000000; import time; time.sleep(2)"])
    held = np.ones(megabytes * 1_000_000, np.uint8)
    child.wait()
    return int(held[-1]), os.getpid()


def test_it_runs_elsewhere_and_the_memory_of_its_children_counts():
    (one, elsewhere), seconds, peak = alone(holding, 200)
    assert one == 1
    assert elsewhere != os.getpid()
    assert seconds >= 2
    assert 0.4 <= peak < 1


def test_memory_before_something_has_begun_is_told_apart():
    begun = []
    with Memory(lambda: bool(begun)) as held:
        time.sleep(4 * LOOK_S)
        begun.append(True)
        most = np.ones(300_000_000, np.uint8)
        time.sleep(4 * LOOK_S)
    assert held.before > 0
    assert held.before + 250_000_000 < held.peak
    assert len(most)


def failing():
    raise ValueError("seven")


def test_what_it_raises_is_raised_here():
    with pytest.raises(ValueError, match="seven"):
        alone(failing)


def lasting(pid_file):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(pid_file, "w") as out:
        out.write(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def test_nothing_is_left_of_it_when_its_caller_is_killed(tmp_path):
    said = tmp_path / "pids"
    here = "tests.flows.benchmark.test_measured_process"
    code = (
        f"from flows.benchmark.measured_process import alone; from {here} import lasting; alone(lasting, {str(said)!r})"
    )
    caller = subprocess.Popen([sys.executable, "-c", code])
    _until(lambda: said.exists() and len(said.read_text().split()) == 2)
    pids = [int(p) for p in said.read_text().split()]
    caller.kill()
    caller.wait()
    _until(lambda: not any(psutil.pid_exists(p) and psutil.Process(p).status() != "zombie" for p in pids))


def _until(true):
    for _ in range(3000):
        if true():
            return
        time.sleep(0.1)
    raise TimeoutError
