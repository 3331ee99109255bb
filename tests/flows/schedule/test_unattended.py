"""`refinery serve` for some minutes without interference, with a real Prefect server and a real Label Studio."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from pipeline.refined.labels import label_again
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.label_studio.label_server import free_port
from tests.builders.label_studio.simulated_annotators import Annotator

EVERY = "* * * * *"
SECRET = "between the two of us"
MADE_ONCE = ("index", "photos", "faces", "embeddings", "clusters", "persons", "suspects", "findings")
ANNOTATORS = ("ann@example.org", "bob@example.org", "eve@example.org")  # three: enough to overrule the machine


class Served(NamedTuple):
    """A `refinery serve` that runs, its server's address, and the file of its log."""

    process: subprocess.Popen[bytes]
    api: str
    log: Path
    webhook: int

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The finished runs of a flow, oldest first."""
        query = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
            "sort": "START_TIME_ASC",
        }
        return list(httpx.post(f"{self.api}/flow_runs/filter", json=query, timeout=300).raise_for_status().json())

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
def serving(folder: Path, photos: Path, studio: LocalServer, *words: str) -> Iterator[Served]:
    """A running `refinery serve` with a Prefect server of its own; SIGTERM or Ctrl-C ends it."""
    port, webhook, log = free_port(), free_port(), folder / f"log-{time.monotonic_ns()}.txt"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_API_PORT": str(port),
        "LABEL_STUDIO_API_KEY": studio.token.read_text().strip(),
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
        served = Served(process, f"http://127.0.0.1:{port}/api", log, webhook)
        served.wait("it serves", lambda: "until Ctrl-C" in log.read_text())
        yield served
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
        assert "Traceback" not in log.read_text()
        assert "stopped; served until now" in log.read_text()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{served.api}/health")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def call_back(studio: LocalServer, name: str, port: int) -> None:
    """Set a webhook for every answer in each project's settings."""
    web = httpx.Client(base_url=studio.url, headers={"Authorization": f"Token {studio.token.read_text().strip()}"})
    for project in web.get("/api/projects/").json()["results"]:
        if name in project["description"]:
            webhook = {
                "project": project["id"],
                "url": f"http://127.0.0.1:{port}/",
                "send_payload": True,
                "headers": {"X-Refinery-Secret": SECRET},
                "send_for_all_actions": False,
                "actions": ["ANNOTATION_CREATED"],
            }
            web.post("/api/webhooks/", json=webhook).raise_for_status()


def answer(studio: LocalServer, name: str) -> list[str]:
    """Answer every question as if all labels were right; return the ids of the answers."""
    submitted = []
    for email in ANNOTATORS:
        annotator = Annotator(studio.url, email)
        for project in annotator.web.get("/api/projects/").json()["results"]:
            for task in annotator.tasks(project["id"]) if name in project["description"] else []:
                items = task["data"]["items"]
                choices = {
                    "grid": {f"cell_{i}": "same" for i in range(len(items))},
                    "pair": {"same": "same"},
                    "mixed": {f"tick_{i}": "same" for i in range(len(items) - 1)},
                }[task["data"]["page"]]
                submitted.append(str(annotator.answer(task["id"], choices)))
    return sorted(submitted)


@pytest.mark.slow
@pytest.mark.server
def test_schedules_run_for_some_minutes_without_interference(
    label_server: LocalServer, drawn_world: Path, tmp_path: Path
) -> None:
    name, root, out = "by itself", tmp_path / "root", tmp_path / "out"
    words = ("--refine-cron", EVERY, "--review-cron", EVERY, "--budget", "12", "--audit", "3", "--name", name)
    with serving(tmp_path, drawn_world / "photos", label_server, *words) as served:
        served.wait("the first refinement", lambda: served.runs("scheduled-refinement"))
        first = (out / "latest").resolve()
        assert first.is_dir()

        call_back(label_server, name, served.webhook)
        answer_ids = answer(label_server, name)
        assert answer_ids
        served.wait(
            "what the webhook started", lambda: [r for r in served.runs("scheduled-review") if not r["auto_scheduled"]]
        )
        served.wait("the answers", lambda: collected(root) == answer_ids)
        times = served.counts()  # a review that has the last answers may still be at work
        served.wait("both flows after the answers", lambda: all(served.counts()[f] > n for f, n in times.items()))
        assert (out / "latest").resolve() != first, "the answers changed the labels"
        assert label_again(str(root), settled_verdicts(str(root))).labels == latest(str(root)).labels, "answers hold"
        assert collected(root) == answer_ids
        log = served.log.read_text()
        assert [log.count(f"{stage}: 1 of 1 shards made") for stage in MADE_ONCE] == [1] * len(MADE_ONCE)
        assert all(log.count(f"{stage}: found") for stage in MADE_ONCE)
        exported = [p.name for p in out.iterdir() if not p.is_symlink()]
        assert len(exported) == log.count(" - exported "), "no labels are exported twice"
        artifacts = httpx.post(f"{served.api}/artifacts/latest/filter", json={}).json()
        assert {"account", "queue", "agreement", "audit", "refinement"} <= {a["key"] for a in artifacts}
    with serving(tmp_path, drawn_world / "photos", label_server, "--name", name) as served:
        again = httpx.post(f"{served.api}/deployments/filter", json={}).json()
        assert sorted((d["name"], d["paused"], d["global_concurrency_limit"]["limit"]) for d in again) == [
            ("refine", False, 1),
            ("review", False, 1),
        ]
        limits = httpx.post(f"{served.api}/v2/concurrency_limits/filter", json={}).json()
        assert [c["limit"] for c in limits if c["name"] == "gpu"] == [1]


def collected(root: Path) -> list[str]:
    """The annotators' answers in the ledger, by the ids of their submissions; each is there once for each finding."""
    rows = [r for r in ledger.read(str(root), superseded=True).to_pylist() if r["who"] in ANNOTATORS]
    assert len({(r["answer_id"], r["finding_id"]) for r in rows}) == len(rows), "nothing is kept twice"
    return sorted({r["answer_id"].rsplit("/", 1)[1] for r in rows})
