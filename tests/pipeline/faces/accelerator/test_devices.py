"""Names of devices, and how one is chosen for a run and for the processes that it starts."""

import os
import subprocess
import sys

import pytest

from pipeline.errors import UserError
from pipeline.faces.accelerator.devices import DEVICE, Device, chosen_name, device_choice, parse_device


def test_names_of_devices() -> None:
    assert [parse_device(n) for n in ("cpu", "cuda", "cuda:3")] == [Device("cpu"), Device("cuda"), Device("cuda", 3)]
    assert [str(parse_device(n)) for n in ("cpu", "cuda", "tensorrt:1")] == ["cpu", "cuda:0", "tensorrt:1"]
    assert [parse_device(n).allocator for n in ("cpu", "cuda", "tensorrt")] == ["cpu", "cuda", "cuda"]
    for wrong in ("gpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1", ""):
        with pytest.raises(UserError, match=r"no device .*: give cpu, cuda"):
            parse_device(wrong)


def test_a_choice_holds_in_its_block_and_for_processes_started_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE, "cuda:1")
    with device_choice(""):
        assert chosen_name() == "cuda:1"
    with device_choice("cpu"):
        read = [sys.executable, "-c", f"import os; print(os.environ[{DEVICE!r}])"]
        assert subprocess.run(read, capture_output=True, text=True, check=True).stdout == "cpu\n"
    assert os.environ[DEVICE] == "cuda:1"
    with pytest.raises(UserError, match="no device 'gpu'"), device_choice("gpu"):
        pass
    monkeypatch.delenv(DEVICE)
    with device_choice("cpu"):
        assert chosen_name() == "cpu"
    assert DEVICE not in os.environ
