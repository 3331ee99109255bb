"""A measurement in its own process: seconds, memory of children too, and no child that outlives its caller."""

import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from flows.benchmark.speed.measured_process import INTERVAL_S, PeakMemory, run_in_own_process

pytestmark = pytest.mark.slow


def holding(megabytes):
    child = subprocess.Popen([sys.executable, "-c", f"x = b'1' * {megabytes} * 1000000; import time; time.sleep(2)"])
    held = np.ones(megabytes * 1_000_000, np.uint8)
    child.wait()
    return int(held[-1]), os.getpid()


def test_it_runs_in_another_process_and_the_memory_of_its_children_counts():
    (last_value, other_process), seconds, peak = run_in_own_process(holding, 200)
    assert last_value == 1
    assert other_process != os.getpid()
    assert seconds >= 2
    assert 0.33 <= peak < 1  # without the children it would be 0.3 at most; on a busy machine a reading comes late


def test_memory_of_the_first_phase_is_its_own_figure():
    second_phase = []
    with PeakMemory(lambda: bool(second_phase)) as held:
        time.sleep(4 * INTERVAL_S)
        second_phase.append(True)
        large = np.ones(300_000_000, np.uint8)
        time.sleep(4 * INTERVAL_S)
    assert held.first_peak > 0
    assert held.first_peak + 250_000_000 < held.peak
    assert len(large)


def failing():
    raise ValueError("seven")


def test_what_it_raises_is_raised_here():
    with pytest.raises(ValueError, match="seven"):
        run_in_own_process(failing)


def lasting(pid_file):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(pid_file, "w") as out:
        out.write(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def test_nothing_is_left_of_it_when_its_caller_is_killed(tmp_path):
    pid_file = tmp_path / "pids"
    here = "tests.flows.benchmark.speed.test_measured_process"
    code = (
        f"from flows.benchmark.speed import measured_process; from {here} import lasting; "
        f"measured_process.run_in_own_process(lasting, {str(pid_file)!r})"
    )
    caller = subprocess.Popen([sys.executable, "-c", code])
    _until(lambda: pid_file.exists() and len(pid_file.read_text().split()) == 2)
    pids = [int(p) for p in pid_file.read_text().split()]
    caller.kill()
    caller.wait()
    _until(lambda: not any(psutil.pid_exists(p) and psutil.Process(p).status() != "zombie" for p in pids))


def _until(true):
    for _ in range(3000):
        if true():
            return
        time.sleep(0.1)
    raise TimeoutError
