"""The loop by itself: what each schedule is given; and for some minutes on a real Prefect and a real Label Studio."""

import inspect
import os
import re
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
import yaml
from prefect.flows import load_flow_from_entrypoint

from flows.refine.flow import refine
from flows.review import flow as review
from flows.schedule.serve import deployments, serve, split
from pipeline.errors import UserError
from pipeline.review.answers import ledger
from pipeline.review.label_studio.server import Local
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.sample.world import draw_world
from tests.builders.label_server import free_port
from tests.chaos.simulated_annotators import Annotator

GIVEN = {
    "source": ["image-folder", "/p"],
    "root": "/r",
    "detector": "d",
    "embedder": "e",
    "aligned": True,
    "url": "http://127.0.0.1:1",
    "budget": 7,
    "groups": "/g.csv",
    "workers": "2",
}
OWN = {"export": "/out", "format": "parquet", "target_noise": 0.01}
EVERY = "* * * * *"
SECRET = "between the two of us"
WHO = ("ann@example.org", "bob@example.org", "eve@example.org")  # three: enough to overrule the machine


def test_each_option_goes_to_the_flow_that_knows_it() -> None:
    refining, asking = split(GIVEN)
    assert refining == {k: GIVEN[k] for k in ("source", "root", "detector", "embedder", "aligned", "workers")}
    assert asking == {k: GIVEN[k] for k in ("url", "budget", "groups")}


def test_serve_has_every_option_of_refine_and_of_review_send() -> None:
    there = inspect.signature(serve).parameters
    for function in (refine.fn, review.send.fn):
        assert set(inspect.signature(function).parameters) <= set(there)
    assert there["budget"].default == inspect.signature(review.send.fn).parameters["budget"].default


def test_the_two_deployments_never_overlap_with_themselves_and_know_all_they_need() -> None:
    first, second = deployments(GIVEN, OWN, refine_cron="0 3 * * *", review_cron="*/15 * * * *")
    assert [s.schedule.cron for d in (first, second) for s in d.schedules] == ["0 3 * * *", "*/15 * * * *"]
    for made in (first, second):
        assert made.concurrency_limit == 1
        assert made.concurrency_options.collision_strategy.value == "CANCEL_NEW"
        assert made.parameters["export"] == "/out"
        assert made.parameters["target_noise"] == 0.01
        assert made.parameters["asking"]["budget"] == 7
        flow = load_flow_from_entrypoint(made.entrypoint)
        assert set(made.parameters) <= set(flow.parameters.properties)
    assert first.parameters["refining"]["detector"] == "d"
    assert second.parameters["root"] == "/r"
    assert not deployments(GIVEN, OWN, refine_cron="", review_cron=EVERY)[0].schedules


@pytest.mark.parametrize(
    ("own", "cron", "message"),
    [
        ({"format": "zip"}, EVERY, "--format zip: give one of"),
        ({}, "at noon", '--review-cron "at noon" is no schedule'),
    ],
)
def test_a_mistake_is_one_line(own: dict[str, Any], cron: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        deployments(GIVEN, {**OWN, **own}, refine_cron=EVERY, review_cron=cron)


def test_an_audit_too_small_for_the_target_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="refinery"):
        deployments({**GIVEN, "audit": 765}, {**OWN, "target_noise": 0.005}, refine_cron="", review_cron=EVERY)
        assert not caplog.text
        deployments({**GIVEN, "audit": 764}, {**OWN, "target_noise": 0.005}, refine_cron="", review_cron=EVERY)
        assert "--audit 764 cannot show less than 0.50% of wrong labels: it takes 765" in caplog.text


def test_the_deployments_for_a_work_pool_are_those_that_are_served() -> None:
    written = yaml.safe_load((Path(__file__).parents[3] / "prefect.yaml").read_text())["deployments"]
    served = deployments(GIVEN, OWN, refine_cron="0 3 * * *", review_cron="*/15 * * * *")
    for theirs, ours in zip(written, served, strict=True):
        assert theirs["name"] == ours.name
        assert theirs["entrypoint"] == ours.entrypoint
        assert theirs["schedules"][0]["cron"] == ours.schedules[0].schedule.cron
        assert theirs["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert set(theirs["parameters"]) == set(ours.parameters) - {"format"}
        assert set(theirs["parameters"]["asking"]) <= set(inspect.signature(review.send.fn).parameters)
        refining = set(theirs["parameters"].get("refining", {}))
        assert refining <= set(inspect.signature(refine.fn).parameters)


class Served(NamedTuple):
    """A `refinery serve` that runs, its server's address, and what it says."""

    process: subprocess.Popen[bytes]
    api: str
    said: Path
    webhook: int

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The finished runs of a flow, oldest first."""
        query = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
            "sort": "START_TIME_ASC",
        }
        return list(httpx.post(f"{self.api}/flow_runs/filter", json=query, timeout=60).raise_for_status().json())

    def wait(self, what: str, until: Callable[[], Any], seconds: float = 240) -> Any:
        """What `until` returns once it is something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.said.read_text()[-3000:]
            found = until()
            if found:
                return found
            time.sleep(0.5)
        raise AssertionError(f"{what}: not within {seconds} s\n{self.said.read_text()[-5000:]}")


@contextmanager
def serving(folder: Path, photos: Path, studio: Local, *words: str) -> Iterator[Served]:
    """The command as a user types it, with a Prefect server of its own; ended by a friendly signal."""
    port, webhook, said = free_port(), free_port(), folder / f"said-{time.monotonic_ns()}.txt"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_API_PORT": str(port),
        "LABEL_STUDIO_API_KEY": studio.token.read_text().strip(),
        "REFINERY_WEBHOOK_SECRET": SECRET,
    }
    given = [
        "image-folder",
        photos,
        "--root",
        folder / "root",
        "--detector",
        DETECTOR,
        "--embedder",
        EMBEDDER,
        "--export",
        folder / "out",
        "--url",
        studio.url,
        "--webhook-port",
        webhook,
        *words,
    ]
    command = [sys.executable, "-c", "from flows.cli.app import main; main()", "serve", *map(str, given)]
    with open(said, "wb") as written:
        process = subprocess.Popen(command, env=environment, stdout=written, stderr=written, start_new_session=True)
    try:
        served = Served(process, f"http://127.0.0.1:{port}/api", said, webhook)
        served.wait("it serves", lambda: "until Ctrl-C" in said.read_text())
        yield served
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert "Traceback" not in said.read_text()
        assert "stopped; served until now" in said.read_text()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{served.api}/health")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def tables(root: Path) -> dict[str, int]:
    """Every shard under a root and when it was written."""
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*.parquet")}


def call_back(studio: Local, name: str, port: int) -> None:
    """Have Label Studio tell of every answer, as someone sets it in each project's settings."""
    web = httpx.Client(base_url=studio.url, headers={"Authorization": f"Token {studio.token.read_text().strip()}"})
    for project in web.get("/api/projects/").json()["results"]:
        if name in project["title"]:
            asked = {
                "project": project["id"],
                "url": f"http://127.0.0.1:{port}/",
                "send_payload": True,
                "headers": {"X-Refinery-Secret": SECRET},
                "send_for_all_actions": False,
                "actions": ["ANNOTATION_CREATED"],
            }
            web.post("/api/webhooks/", json=asked).raise_for_status()


def answer(studio: Local, name: str) -> list[str]:
    """All annotators find that everybody belongs and all are the same: the ids of what they submitted."""
    submitted = []
    for email in WHO:
        annotator = Annotator(studio.url, email)
        for project in annotator.web.get("/api/projects/").json()["results"]:
            for task in annotator.tasks(project["id"]) if name in project["title"] else []:
                items = task["data"]["items"]
                grid = task["data"]["page"] == "grid"
                said = {f"cell_{i}": "same" for i in range(len(items))} if grid else {"same": "same"}
                submitted.append(str(annotator.answer(task["id"], said)))
    return sorted(submitted)


@pytest.mark.slow
@pytest.mark.server
def test_for_some_minutes_by_itself(label_server: Local, tmp_path: Path) -> None:
    draw_world(tmp_path / "world", people=8, photos=48, seed=0)
    name, root, out = "by itself", tmp_path / "root", tmp_path / "out"
    words = ("--refine-cron", EVERY, "--review-cron", EVERY, "--budget", "30", "--audit", "5", "--name", name)
    with serving(tmp_path, tmp_path / "world/photos", label_server, *words) as served:
        served.wait("the first refinement", lambda: served.runs("scheduled-refinement"))
        first, made = (out / "latest").resolve(), tables(root)
        before = served.said.read_text().count("shards made")
        assert first.is_dir()
        assert before > 0

        served.wait(
            "the second", lambda: len(served.runs("scheduled-refinement")) > 1 and served.runs("scheduled-review")
        )
        assert tables(root) == made, "nothing is made twice"
        assert served.said.read_text().count("shards made") == before
        assert [p.name for p in out.iterdir() if not p.is_symlink()] == [first.name]

        call_back(label_server, name, served.webhook)
        given = answer(label_server, name)
        assert given
        served.wait("the answers", lambda: heard(root) == given)
        served.wait("an export of what changed", lambda: (out / "latest").resolve() != first)
        served.wait(
            "what the webhook started", lambda: [r for r in served.runs("scheduled-review") if not r["auto_scheduled"]]
        )

        now, times = (out / "latest").resolve(), len(served.runs("scheduled-refinement"))
        served.wait("a refinement after the answers", lambda: len(served.runs("scheduled-refinement")) > times)
        assert (out / "latest").resolve() == now, "answers hold when everything is refined again"
        assert heard(root) == given
        artifacts = httpx.post(f"{served.api}/artifacts/latest/filter", json={}).json()
        assert {"account", "queue", "agreement", "audit", "refinement"} <= {a["key"] for a in artifacts}
    with serving(tmp_path, tmp_path / "world/photos", label_server, "--name", name) as served:
        again = httpx.post(f"{served.api}/deployments/filter", json={}).json()
        assert sorted((d["name"], d["paused"], d["global_concurrency_limit"]["limit"]) for d in again) == [
            ("refine", False, 1),
            ("review", False, 1),
        ]
        limits = httpx.post(f"{served.api}/v2/concurrency_limits/filter", json={}).json()
        assert [c["limit"] for c in limits if c["name"] == "gpu"] == [1]


def heard(root: Path) -> list[str]:
    """What the ledger holds of the annotators, by the ids of what they submitted; each once for each finding."""
    rows = [r for r in ledger.read(str(root), every=True).to_pylist() if r["who"] in WHO]
    assert len({(r["answer_id"], r["finding_id"]) for r in rows}) == len(rows), "nothing is kept twice"
    return sorted({r["answer_id"].rsplit("/", 1)[1] for r in rows})
