"""`refinery serve` for some minutes without interference, with a real Prefect server and a real Label Studio."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from flows.prefect_runtime.artifacts import artifact_key
from flows.review.root_review import root_review
from pipeline.refined.labels import label_again
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.page_templates import CELL, SAME, TICK
from pipeline.review.questions.question import GRID, MIXED
from tests.builders.label_studio.label_server import connection
from tests.builders.label_studio.simulated_annotators import Annotator
from tests.builders.processes.served_schedules import SECRET, serving

EVERY = "* * * * *"
MADE_ONCE = ("index", "photos", "faces", "embeddings", "clusters", "persons", "suspects", "findings")
ANNOTATORS = ("ann@example.org", "bob@example.org", "eve@example.org")  # three: enough to overrule the machine


def made_so_far(log: Path) -> list[int]:
    """How often a table of each stage was made; the first run makes some twice, before and after faces are chosen."""
    text = log.read_text()
    return [text.count(f"{stage}: 1 of 1 shards made") for stage in MADE_ONCE]


def project_ids(studio: LocalServer, root: Path, name: str) -> list[int]:
    """The numbers of the review's projects."""
    return [project.id for project in StudioClient(connection(studio)).projects(root_review(str(root), name))]


def call_back(studio: LocalServer, projects: Sequence[int], port: int) -> None:
    """Set a webhook for every answer in each project's settings."""
    headers = {"Authorization": f"Token {studio.token.read_text().strip()}"}
    web = httpx.Client(base_url=studio.url, headers=headers, timeout=120)
    for project in projects:
        webhook = {
            "project": project,
            "url": f"http://127.0.0.1:{port}/",
            "send_payload": True,
            "headers": {"X-Refinery-Secret": SECRET},
            "send_for_all_actions": False,
            "actions": ["ANNOTATION_CREATED"],
        }
        web.post("/api/webhooks/", json=webhook).raise_for_status()


def answer(studio: LocalServer, projects: Sequence[int]) -> list[str]:
    """Answer every question as if all labels were right; return the ids of the answers."""
    submitted = []
    for email in ANNOTATORS:
        annotator = Annotator(studio.url, email)
        for project in projects:
            for task in annotator.tasks(project):
                page, items = task["data"]["page"], task["data"]["items"]
                prefix = {GRID: CELL, MIXED: TICK}.get(page, "")
                choices = {f"{prefix}{i}": "same" for i in range(len(items) - (page == MIXED))}
                choices = choices if prefix else {SAME: "same"}
                submitted.append(str(annotator.answer(task["id"], choices)))
    return sorted(submitted)


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.usefixtures("prefect_home")
def test_schedules_run_for_some_minutes_without_interference(
    label_server: LocalServer, drawn_world: Path, tmp_path: Path
) -> None:
    name, root, out = "by itself", tmp_path / "root", tmp_path / "out"
    words = ("--refine-cron", EVERY, "--review-cron", EVERY, "--budget", "12", "--audit", "3", "--name", name)
    with serving(tmp_path, drawn_world / "photos", connection(label_server), *words) as served:
        served.wait("the first refinement", lambda: served.runs("scheduled-refinement"))
        first = (out / "latest").resolve()
        assert first.is_dir()
        made = made_so_far(served.log)
        assert all(made)

        projects = project_ids(label_server, root, name)
        call_back(label_server, projects, served.webhook)
        answer_ids = answer(label_server, projects)
        assert answer_ids
        served.wait(
            "what the webhook started", lambda: [r for r in served.runs("scheduled-review") if not r["auto_scheduled"]]
        )
        served.wait("the answers", lambda: collected(root) == answer_ids)
        times = served.counts()  # a review that has the last answers may still be at work
        served.wait("both flows after the answers", lambda: all(served.counts()[f] > n for f, n in times.items()))
        assert (out / "latest").resolve() != first, "the answers changed the labels"
        assert label_again(str(root), settled_verdicts).labels == latest(str(root)).labels, "answers hold"
        assert collected(root) == answer_ids
        assert made_so_far(served.log) == made, "found by every later run"
        log = served.log.read_text()
        assert all(log.count(f"{stage}: found") for stage in MADE_ONCE)
        exported = [p.name for p in out.iterdir() if not p.is_symlink()]
        assert len(exported) == log.count(" - exported "), "no labels are exported twice"
        artifacts = served.ask("/artifacts/latest/filter", {})
        kinds = ("account", "queue", "agreement", "audit", "refinement")
        assert {artifact_key(kind, str(root)) for kind in kinds} <= {a["key"] for a in artifacts}
        assert all(str(root) in a["description"] for a in artifacts)


def collected(root: Path) -> list[str]:
    """The annotators' answers in the ledger, by the ids of their submissions; each is there once for each finding."""
    rows = [r for r in ledger.read(str(root), superseded=True).to_pylist() if r["who"] in ANNOTATORS]
    assert len({(r["answer_id"], r["finding_id"]) for r in rows}) == len(rows), "nothing is kept twice"
    return sorted({r["answer_id"].rsplit("/", 1)[1] for r in rows})
