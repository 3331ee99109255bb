"""What `refinery serve` tells of runs that fail, and that no run stays open when its process is gone."""

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from pipeline.review.label_studio.records import Server
from tests.builders.processes.lock_holder import lock_holder
from tests.builders.processes.served_schedules import Served, serving
from tests.builders.processes.waiting import wait_until

BY_HAND = ("--refine-cron", "", "--review-cron", "0 0 1 1 *")


class NotThere(BaseHTTPRequestHandler):
    """Answers every request with 404, as a server that is no Label Studio."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def studio() -> Iterator[Server]:
    """A Label Studio that is not there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), NotThere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Server(f"http://127.0.0.1:{server.server_port}", "token")
    server.shutdown()
    server.server_close()


def errors(served: Served) -> list[str]:
    """The lines of the log that tell of an error."""
    return [line for line in served.log.read_text().splitlines() if "ERROR" in line or " failed: " in line]


def states(folder: Path) -> list[str]:
    """The states of all runs of the two schedules, in the server's database."""
    with closing(sqlite3.connect(folder / "prefect/prefect.db")) as database:
        rows = database.execute("select state_type from flow_run where deployment_id is not null").fetchall()
    return sorted(state for (state,) in rows if state != "SCHEDULED")


def wait_for_name(served: Served, run: str, name: str) -> None:
    """Wait until a run that has ended has its last name, which it gets after its last state."""
    query = {"flow_runs": {"id": {"any_": [run]}, "name": {"any_": [name]}}}
    served.wait(f"it is called {name}", lambda: served.ask("/flow_runs/filter", query), 60)


def process_of(served: Served, run: str) -> int:
    """The number of a run's process, which the server may be told after the run's state."""

    def told() -> str | None:
        (found,) = served.ask("/flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return found["infrastructure_pid"]

    return int(served.wait(f"the process of {run} is known", told, 60).rpartition(":")[2])


def check_deployments(served: Served, root: Path) -> None:
    """Each deployment is active and has one run at a time; one run at a time uses the GPU."""
    deployments = served.ask("/deployments/filter", {})
    limits = sorted((d["name"], d["paused"], d["global_concurrency_limit"]["limit"]) for d in deployments)
    root_id = json.loads((root / "ledger/root.json").read_text())["id"]
    assert limits == [(f"{kind}-root-{root_id[:12]}", False, 1) for kind in ("refine", "review")]
    limits = served.ask("/v2/concurrency_limits/filter", {})
    assert [c["limit"] for c in limits if c["name"] == "gpu"] == [1]


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.usefixtures("prefect_home")
def test_failed_runs_are_told_and_none_stays_open(drawn_world: Path, tmp_path: Path, studio: Server) -> None:
    root, photos = tmp_path / "root", drawn_world / "photos"
    with serving(tmp_path, photos, studio, *BY_HAND) as served:
        assert f"no Label Studio answers at {studio.url} yet" in served.log.read_text()
        refined = served.run_in_state(served.start("refine"), "COMPLETED", "FAILED", "CRASHED")
        wait_for_name(served, refined["id"], f"scheduled-refinement: {root}: exported, no questions sent")
        assert len(errors(served)) == 1
        assert f"{root} is refined, but no questions were sent: the server at {studio.url}" in errors(served)[0]

        failed = served.run_in_state(served.start("review"), "COMPLETED", "FAILED", "CRASHED")
        assert failed["state_type"] == "FAILED"
        wait_for_name(served, failed["id"], f"scheduled-review: {root}: failed")
        assert len(errors(served)) == 2
        assert f"scheduled-review of {root} failed: the server at {studio.url}" in errors(served)[1]

        with lock_holder(root, 300):
            killed = served.run_in_state(served.start("review"), "RUNNING")
            served.wait("it waits", lambda: "waiting up to" in served.log.read_text())
            os.kill(process_of(served, killed["id"]), signal.SIGKILL)
            served.run_in_state(killed["id"], "CRASHED")
            served.wait("it is told", lambda: len(errors(served)) == 3, 60)
            assert f"scheduled-review of {root} failed: Process exited with status code" in errors(served)[2]

            orphan = served.run_in_state(served.start("review"), "RUNNING")
            process = process_of(served, orphan["id"])
            served.run_in_state(served.start("review"), "CANCELLED")
            words = f"a run of the review of {root} was not carried out: an earlier run of it is under way"
            served.wait("it is told", lambda: words in served.log.read_text(), 60)
            served.process.kill()
            served.process.wait(60)
            wait_until(lambda: not psutil.pid_exists(process), "the run goes on without its parent", seconds=60)
            assert states(tmp_path) == ["CANCELLED", "COMPLETED", "CRASHED", "FAILED", "RUNNING"]

            with serving(tmp_path, photos, studio, *BY_HAND) as again:
                assert states(tmp_path) == ["CANCELLED", "COMPLETED", "CRASHED", "CRASHED", "FAILED"]
                check_deployments(again, root)
                again.run_in_state(again.start("review"), "RUNNING")
                again.wait("it waits", lambda: "waiting up to" in again.log.read_text())
    assert not {"RUNNING", "PENDING", "CANCELLING"} & set(states(tmp_path))
