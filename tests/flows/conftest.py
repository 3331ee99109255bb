"""Fixtures of the tests of flows."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.cli import app
from flows.prefect_runtime.flow_run import PREFECT_VARIABLE
from tests.builders.label_studio.browser import BROWSERS
from tests.builders.photos.drawn_world import drawn_world_of_run
from tests.builders.processes.command_line import Command
from tests.builders.processes.prefect_home import make_prefect_home


@pytest.fixture
def refinery(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process without Prefect; returns status, standard output and standard error."""
    monkeypatch.setenv(PREFECT_VARIABLE, "off")

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["refinery", *map(str, words)])
        with pytest.raises(SystemExit) as exit_info:
            app.main()
        printed = capsys.readouterr()
        return int(exit_info.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture(scope="session")
def drawn_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn world, which no test may change."""
    return drawn_world_of_run(tmp_path_factory)


@pytest.fixture
def prefect_home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `prefect` of a test: a Prefect home whose database a server need not make."""
    return make_prefect_home(tmp_path_factory, tmp_path / "prefect")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for screenshots."""
    path = os.environ.get("REFINERY_SCREENSHOTS")
    folder = Path(path) if path else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
