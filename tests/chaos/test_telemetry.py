"""Commands speak to no other machine: no library of theirs reports its use to its maker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.photos.drawn_world import drawn_world_of_run
from tests.builders.processes.command_line import COMMAND

SESSION = "import {}, onnxruntime; onnxruntime.InferenceSession({!r}, providers=['CPUExecutionProvider'])"
# what strace writes of an address on the internet, or of a question to a name server
ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|AF_INET6, ")([^"]+)"')
LOOPBACK = ("127.", "::1", "0.0.0.0", "::ffff:127.")


def environment(home: Path) -> dict[str, str]:
    """The environment of a user who has set nothing; home: an empty folder."""
    home.mkdir()
    names = ("ORT_DISABLE_TELEMETRY", "DO_NOT_TRACK", "NO_ALBUMENTATIONS_UPDATE")
    others = {n: v for n, v in os.environ.items() if n not in names and not n.startswith(("PREFECT_", "XDG_"))}
    return others | {"HOME": str(home), "TMPDIR": str(home)}


@pytest.mark.parametrize("package", ["pipeline", "flows", "trainer"])
def test_onnxruntime_keeps_no_record_of_its_use(package: str, tmp_path: Path) -> None:
    ours = environment(tmp_path / "home")
    subprocess.run([sys.executable, "-c", SESSION.format(package, str(EMBEDDER))], env=ours, check=True)
    assert not [p for p in (tmp_path / "home").rglob("*") if p.is_file()]


@pytest.mark.slow
def test_refine_report_export_and_train_reach_no_other_machine(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    world, ours = drawn_world_of_run(tmp_path_factory), environment(tmp_path / "home")
    root, out = tmp_path / "root", tmp_path / "refined"
    models = ("--detector", DETECTOR, "--embedder", EMBEDDER)
    commands = (
        ("refine", root, "image-folder", world / "photos", *models, "--workers", 1),
        ("report", root, "--out", tmp_path / "report.html"),
        ("export", root, "--out", out),
        ("train", out, "--out", tmp_path / "run", "--steps", 2, "--batch", 8, "--device", "cpu"),
    )
    watch = (strace, "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg")
    for words in commands:
        trace = tmp_path / f"{words[0]}.trace"
        run = subprocess.run(
            [*watch, "-o", trace, *COMMAND, *map(str, words)], env=ours, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        reached = {(address, port) for port, address in ADDRESS.findall(trace.read_text(errors="replace"))}
        assert not {(a, p) for a, p in reached if p == "53" or not a.startswith(LOOPBACK)}, words[0]
        assert reached or words[0] != "refine", "workers are reached on loopback: the trace is read rightly"
    assert not list((tmp_path / "home").rglob("deviceid"))
