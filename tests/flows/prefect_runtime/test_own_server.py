"""A Prefect server that a command starts: it answers its command, and no page or program without the password."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flows.prefect_runtime.health import answers
from flows.prefect_runtime.server import using_server, warn_of_open_server
from tests.builders.label_studio.browser import SLOW_MS
from tests.builders.label_studio.label_server import free_port
from tests.builders.processes.prefect_home import make_prefect_home
from tests.builders.processes.waiting import wait_until

pytestmark = pytest.mark.server
EVIL = "http://evil.example"
COMMAND = """
import json, sys, time
from pathlib import Path
from prefect import flow
from prefect.client.orchestration import get_client
from flows.prefect_runtime.recorded_tasks import wait_until_recorded
from flows.prefect_runtime.server import prefect_server
from flows.prefect_runtime.task import as_task

def step():
    pass

@flow
def steps():
    for name in ("first", "second", "last"):
        as_task(step, name=name)()

with prefect_server() as url:
    steps()
    wait_until_recorded()
    with get_client(sync_client=True) as client:
        states = {run.name.rpartition("-")[0]: run.state_name for run in client.read_task_runs()}
    Path(sys.argv[1], "states").write_text(json.dumps(states))
    Path(sys.argv[1], "url").write_text(url)
    time.sleep(600)
"""
# a server that writes what became of tasks late, as one does on a busy machine
LATE = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "3",
}
ATTACKS = (  # requests with which a page found a deployment, started a run of it, and changed what it runs
    ("POST", "/deployments/filter", {}),
    ("POST", "/flow_runs/filter", {}),
    ("POST", "/flows/", {"name": "evil"}),
    ("POST", "/deployments/", {"name": "evil", "flow_id": "00000000-0000-0000-0000-000000000000"}),
    ("GET", "/admin/settings", None),
    ("POST", "/block_types/filter", {}),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prefect_home(tmp_path_factory, tmp_path_factory.mktemp("prefect"))


@pytest.fixture(scope="module")
def command(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that has started a server, and run a flow."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ours = {"PREFECT_HOME": str(home), "PREFECT_SERVER_API_PORT": str(free_port()), "LABEL_STUDIO_API_KEY": "secret"}
    with subprocess.Popen([sys.executable, "-c", COMMAND, str(home)], env=others | LATE | ours) as running:
        wait_until(lambda: (home / "url").exists() or running.poll() is not None, "no server", seconds=180)
        yield running
        running.kill()


@pytest.fixture(scope="module")
def api(command: "subprocess.Popen[bytes]", home: Path) -> str:
    return (home / "url").read_text()


def test_a_command_waits_until_the_end_of_its_tasks_is_in_the_history(api: str, home: Path) -> None:
    """The server outlives the command's run only so long: what it has not written by then is lost."""
    assert json.loads((home / "states").read_text()) == dict.fromkeys(("first", "second", "last"), "Completed")


def test_a_request_without_the_password_is_refused(api: str, home: Path) -> None:
    file = home / "refinery-server-password"
    assert file.stat().st_mode & 0o777 == 0o600
    right = tuple(file.read_text().strip().split(":"))
    for password in (None, ("refinery", "guess"), ("", "")):
        for method, path, body in ATTACKS:
            reply = httpx.request(
                method, api + path, json=body, auth=password, trust_env=False, timeout=120, verify=False
            )
            assert reply.status_code == 401, path
    assert (
        httpx.post(f"{api}/deployments/filter", json={}, auth=right, trust_env=False, timeout=120, verify=False).json()
        == []
    )
    assert httpx.get(f"{api}/health", trust_env=False, timeout=120, verify=False).status_code == 200


def test_a_page_of_another_origin_may_not_read_an_answer(api: str) -> None:
    asks = {"Origin": EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for method in ("OPTIONS", "GET"):
        reply = httpx.request(method, f"{api}/health", headers=asks, trust_env=False, timeout=120, verify=False)
        assert reply.headers.get("access-control-allow-origin") not in ("*", EVIL), method


def test_a_page_in_a_browser_can_neither_read_nor_start_anything(api: str, browser: Any) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<p>a page of another origin</p>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.set_default_timeout(SLOW_MS)
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        fetch = "([url, mode]) => fetch(url, {method: 'POST', mode, body: '{}'}).then(r => r.type, e => 'refused')"
        assert page.evaluate(fetch, [f"{api}/deployments/filter", "cors"]) == "refused"
        assert page.evaluate(fetch, [f"{api}/flows/", "no-cors"]) == "opaque"  # sent, and refused: see above
    finally:
        page.close()
        server.shutdown()
        server.server_close()


def test_the_command_itself_and_the_processes_that_it_starts_get_answers(api: str, home: Path) -> None:
    from prefect.client.orchestration import get_client

    before = os.environ.get("PREFECT_API_AUTH_STRING")
    password = (home / "refinery-server-password").read_text().strip()
    with using_server(api, password):
        assert os.environ["PREFECT_API_AUTH_STRING"] == password
        with get_client(sync_client=True) as client:
            assert client.read_deployments() == []
    assert os.environ.get("PREFECT_API_AUTH_STRING") == before


def test_the_server_does_not_get_the_token_of_label_studio(command: "subprocess.Popen[bytes]", api: str) -> None:
    environments = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if {"server", "start"} <= set(process.cmdline()):
                environments.append(process.environ())
    ours = [e for e in environments if api.split("/")[2] in e.get("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "")]
    assert ours
    assert not [e for e in ours if "LABEL_STUDIO_API_KEY" in e]


def test_a_server_that_asks_for_no_password_is_warned_of_once(caplog: pytest.LogCaptureFixture, api: str) -> None:
    class Open(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"0")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Open)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with caplog.at_level("INFO", logger="refinery"):
        warn_of_open_server(api)
        assert not caplog.records
        for _ in range(2):
            warn_of_open_server(f"http://127.0.0.1:{server.server_port}/api")
        assert caplog.text.count("asks for no password") == 1
    server.shutdown()
    server.server_close()


def test_the_server_ends_with_a_command_that_is_killed(command: "subprocess.Popen[bytes]", api: str) -> None:
    assert answers(f"{api}/health")
    command.kill()
    wait_until(lambda: not answers(f"{api}/health"), "the server is still there")
