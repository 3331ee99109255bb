"""A running `refinery serve` with a Prefect server of its own, for tests that watch its runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx  # verify=False: else each call reads the list of authorities, which no http address needs
import pytest

from flows.prefect_runtime.server import PASSWORD_FILE
from pipeline.review.label_studio.records import Server
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.label_studio.label_server import free_port

SECRET = "between the two of us"


class Served(NamedTuple):
    """A `refinery serve` that runs, its server's address, and the file of its log."""

    process: subprocess.Popen[bytes]
    api: str
    log: Path
    webhook: int
    password: Path

    def ask(self, path: str, query: dict[str, Any]) -> Any:
        """The server's answer."""
        user, _, password = self.password.read_text().strip().partition(":")
        reply = httpx.post(f"{self.api}{path}", json=query, auth=(user, password), timeout=300, verify=False)
        return reply.raise_for_status().json()

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The finished runs of a flow, oldest first."""
        query = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
            "sort": "START_TIME_ASC",
        }
        return list(self.ask("/flow_runs/filter", query))

    def start(self, deployment: str) -> str:
        """Start a run of a deployment, refine or review; its id."""
        (found,) = self.ask("/deployments/filter", {"deployments": {"name": {"like_": f"{deployment}-"}}})
        started = self.wait("a run is accepted", lambda: self._created(found["id"]), 120)
        return str(started["id"])

    def _created(self, deployment: str) -> Any:
        """A new run of a deployment; None while the server is too busy to make one."""
        try:
            return self.ask(f"/deployments/{deployment}/create_flow_run", {})
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 503:
                raise
            return None

    def run_in_state(self, run: str, *states: str) -> dict[str, Any]:
        """The run, once it is in one of these states."""
        query = {"flow_runs": {"id": {"any_": [run]}, "state": {"type": {"any_": list(states)}}}}
        (found,) = self.wait(f"{run} is {states}", lambda: self.ask("/flow_runs/filter", query), 120)
        return dict(found)

    def counts(self) -> dict[str, int]:
        """How many runs of each flow have finished."""
        return {flow: len(self.runs(flow)) for flow in ("scheduled-refinement", "scheduled-review")}

    def wait(self, what: str, until: Callable[[], Any], seconds: float = 600) -> Any:
        """Wait until `until` returns something true, and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            value = until()
            if value:
                return value
            time.sleep(1)
        raise AssertionError(f"{what}: not within {seconds} s\n{self.log.read_text()[-5000:]}")


@contextmanager
def serving(folder: Path, photos: Path, studio: Server, *words: str) -> Iterator[Served]:
    """A running `refinery serve` with a Prefect server of its own, which SIGTERM ends if the block has not."""
    port, webhook, log = free_port(), free_port(), folder / f"log-{time.monotonic_ns()}.txt"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "LABEL_STUDIO_API_KEY": studio.token,
        "REFINERY_WEBHOOK_SECRET": SECRET,
    }
    typed = [
        folder / "root",
        "image-folder",
        photos,
        "--detector",
        DETECTOR,
        "--embedder",
        EMBEDDER,
        "--out",
        folder / "out",
        "--url",
        studio.url,
        "--webhook-port",
        webhook,
        *words,
    ]
    command = [sys.executable, "-c", "from flows.cli.app import main; main()", "serve", *map(str, typed)]
    with open(log, "wb") as written:
        process = subprocess.Popen(command, env=environment, stdout=written, stderr=written, start_new_session=True)
    try:
        served = Served(process, f"http://127.0.0.1:{port}/api", log, webhook, folder / "prefect" / PASSWORD_FILE)
        served.wait("it serves", lambda: "until Ctrl-C" in log.read_text())
        yield served
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
        assert "Traceback" not in log.read_text()
        assert "stopped; served until now" in log.read_text()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{served.api}/health")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
