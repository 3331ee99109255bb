"""The lines and the exit status of `refinery doctor` for present, missing and broken parts of a machine."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from flows.doctor import machine, services
from flows.doctor.check import MISSING, OK, WARNING, Check
from flows.doctor.flow import DoctorReport, doctor
from tests.builders.processes.command_line import Command

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "PREFECT_API_URL", "REFINERY_PREFECT"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def health_server() -> Iterator[str]:
    """A server that answers every GET with 200; its address."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Healthy)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_machine_that_runs_these_tests_has_what_is_needed(tmp_path: Path) -> None:
    report = doctor(str(tmp_path / "root"))
    checks = {c.name: c for c in report.checks}
    assert list(checks)[:4] == ["Python", "cores", "memory", "disk"]
    assert {"onnxruntime", "faiss", "torch", "Label Studio", "Prefect"} <= set(checks)
    assert all(c.status in (OK, WARNING) for c in report.checks), report
    assert all(c.advice for c in report.checks if c.status != OK)
    assert report.exit_status() == 0
    assert "GB are free at" in checks["disk"].found
    assert not (tmp_path / "root").exists(), "nothing is made"


def test_a_missing_part_has_advice_and_exit_status_1(
    refinery: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status, out, _ = refinery("doctor", tmp_path, "--url", NOWHERE, "--json")
    (studio,) = (c for c in json.loads(out)["checks"] if c["name"] == "Label Studio")
    assert (status, studio["status"]) == (1, MISSING)
    monkeypatch.setenv("LABEL_STUDIO_URL", NOWHERE)
    status, out, _ = refinery("doctor", tmp_path)
    assert status == 1
    assert "Label Studio (missing): start it (`refinery review serve ROOT`)" in out


def test_a_label_studio_needs_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with health_server() as url:
        assert services.label_studio(str(tmp_path), url).status == WARNING
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")
        assert services.label_studio(str(tmp_path), url).status == OK
    assert services.label_studio(str(tmp_path), "").found.startswith("not set")
    monkeypatch.setattr("flows.review.root_server.local_url", lambda root: NOWHERE)
    assert services.label_studio(str(tmp_path), "").status == WARNING, "the root's own server runs when it is used"


def test_a_configured_prefect_server_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with health_server() as url:
        monkeypatch.setenv("PREFECT_API_URL", f"{url}/api")
        assert services.prefect().status == OK
    monkeypatch.setenv("PREFECT_API_URL", f"{NOWHERE}/api")
    assert services.prefect().status == MISSING
    monkeypatch.setenv("REFINERY_PREFECT", "off")
    assert services.prefect().found.startswith("off")


def test_an_unused_gpu_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "DRIVER", tmp_path)  # there
    for check, on_gpu in (
        (machine.onnxruntime, "_onnxruntime_on_gpu"),
        (machine.faiss, "_faiss_on_gpu"),
        (machine.torch, "_torch_on_gpu"),
    ):
        monkeypatch.setattr(machine, on_gpu, lambda: False)
        assert check().status == WARNING
        assert "though there is a GPU" in check().found
        monkeypatch.setattr(machine, on_gpu, lambda: True)
        assert check().status == OK
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpu().status == WARNING, "a driver without its nvidia-smi"


def test_a_library_that_cannot_be_loaded_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> bool:
        raise ImportError("no module named faiss")

    monkeypatch.setattr(machine, "_faiss_on_gpu", fails)
    check = machine.faiss()
    assert (check.status, check.found) == (MISSING, "cannot be loaded (no module named faiss)")
    assert DoctorReport([Check("a", OK, ""), check]).exit_status() == 1


def test_little_memory_and_disk_are_warnings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    little = SimpleNamespace(available=1e9, total=8e9, free=1e9)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: little)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: little)
    assert machine.memory() == Check("memory", WARNING, "1.0 of 8.0 GB are free", machine.memory().advice)
    assert machine.disk(str(tmp_path)).status == WARNING
    assert machine.disk("memory://root").status == OK
    assert machine.disk("nonsense://root").status == MISSING
