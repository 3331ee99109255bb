"""Which runs Prefect records: those for which it is wanted, or a server is set; mistakes are told before it starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.context import FlowRunContext

from flows.prefect_runtime import recorded_flow as module
from flows.prefect_runtime import recorded_tasks
from flows.prefect_runtime.flow_run import in_flow_run, server_url
from flows.prefect_runtime.recorded_flow import recorded_flow, recording
from pipeline.errors import UserError
from tests.builders.label_studio.label_server import free_port
from tests.builders.processes.command_line import Command


def _check(options: Mapping[str, Any]) -> None:
    if options["number"] < options["least"]:
        raise UserError(f"{options['number']} is too small")


@recorded_flow("double", check=_check)
def double(number: int, *, least: int = 0) -> tuple[int, bool]:
    """Twice the number, and whether Prefect records it."""
    return 2 * number - least, in_flow_run()


def test_a_call_outside_of_a_recording_is_a_plain_call() -> None:
    assert double(2) == (4, False)
    with recording(wanted=False):
        assert double(3, least=1) == (5, False)


def test_a_mistake_is_told_before_a_server_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[bool] = []
    monkeypatch.setattr(module, "_server", lambda: started.append(True))
    with recording(wanted=True), pytest.raises(UserError, match="-1 is too small"):
        double(-1)
    assert not started


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working folder and a Prefect home in which nothing is set."""
    for name in ("PREFECT_API_URL", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("no_settings")
def test_a_server_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert server_url() == ""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    assert server_url() == "http://127.0.0.1:4200/api"


@pytest.mark.usefixtures("no_settings")
def test_a_server_of_the_command_has_the_whole_history_before_it_ends_except_after_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[str] = []
    monkeypatch.setattr("flows.prefect_runtime.server.server_of_process", lambda: ("http://127.0.0.1:9/api", "a:b"))
    monkeypatch.setattr(recorded_tasks, "wait_until_recorded", lambda: waited.append("waited"))
    with module._server():
        assert not waited
    assert len(waited) == 1
    with pytest.raises(UserError), module._server():
        raise UserError("failed")
    assert len(waited) == 2
    with pytest.raises(KeyboardInterrupt), module._server():
        raise KeyboardInterrupt
    assert len(waited) == 2


def test_a_server_that_is_gone_is_asked_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        recorded_tasks.wait_until_recorded()
        assert not caplog.records
        monkeypatch.setattr(recorded_tasks, "_begun", {uuid4()})
        recorded_tasks.wait_until_recorded(3600)
    assert "has not recorded how 1 tasks of this run ended" in caplog.text


def test_settings_files_are_read_by_prefect_only_where_they_speak_of_it(
    no_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("prefect.settings.PREFECT_API_URL.value", lambda *_: asked.append(True) or "http://set/api")
    project = no_settings / "pyproject.toml"
    project.write_text('[project]\nname = "mine"\ndependencies = ["prefect"]\n[tool.mypy]\nstrict = true\n')
    assert (server_url(), asked) == ("", [])
    for settings in ('[tool.prefect.api]\nurl = "http://set/api"\n', "prefect = [\n"):
        project.write_text(settings)
        assert (server_url(), asked) == ("http://set/api", [True])
        asked.clear()
    project.unlink()
    (no_settings / "home").mkdir()
    (no_settings / "home/profiles.toml").write_text('[profiles.ephemeral]\nPREFECT_API_URL = "http://set/api"\n')
    assert (server_url(), asked) == ("http://set/api", [True])


@pytest.mark.usefixtures("no_settings")
def test_every_mistake_of_a_command_is_told_at_once_and_nothing_is_started(
    refinery: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REFINERY_PREFECT", "on")
    words = ("--detector", "d.onnx", "--embedder", "e.onnx", "--test-set", "t", "--workers", "many", "--min-faces", 0)
    status, _, err = refinery("refine", tmp_path / "root", "image-folder", tmp_path / "photos", *words, "--prefect")
    assert status == 2
    told = [line for line in err.splitlines() if line.startswith("refinery: ")]
    assert told == err.splitlines(), "nothing but the mistakes"
    for part, line in zip(("photos is not", "d.onnx", "e.onnx", "many", "--min-faces", "t is not"), told, strict=True):
        assert part in line
    assert not (tmp_path / "root").exists()
    assert not (tmp_path / "home").exists()
    status, _, err = refinery("review", "send", tmp_path / "root", "--votes", 0, "--groups", "g.csv", "--prefect")
    assert status == 2
    assert len(err.splitlines()) == 4, "groups, token, votes, no refinement"
    assert FlowRunContext.get() is None
