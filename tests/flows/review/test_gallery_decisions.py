"""A decision in the gallery is the same as an answer in a real Label Studio: the same votes, verdicts and labels."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from flows.review.flow import collect, send
from flows.review.root_review import root_review
from pipeline.browse.decisions import record as gallery
from pipeline.browse.decisions.statements import Decision
from pipeline.browse.snapshot import Snapshot, load_snapshot
from pipeline.refined.labels import label_again
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.question_log import LoggedItem, read_question_log
from pipeline.review.answers.votes import settle, settled_verdicts
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.page_templates import CELL, SAME
from pipeline.review.label_studio.records import Server
from pipeline.review.questions.question import GRID
from tests.builders.label_studio.label_server import connection
from tests.builders.label_studio.simulated_annotators import Annotator
from tests.builders.session.made_once import made_once
from tests.builders.tables.drawn_refinement import refined

pytestmark = pytest.mark.server
ANN, BOB, CAT, EVE = (f"{name}@example.org" for name in ("ann", "bob", "cat", "eve"))
Said = Mapping[str, bool]  # by finding: whether people say "the same"


@pytest.fixture(scope="module")
def server(label_server: LocalServer) -> Server:
    return connection(label_server)


def asked(root: str) -> tuple[list[LoggedItem], Said]:
    """Of each kind that is asked about one question, and the answers by which the machine is wrong.

    About a photo that is to be kept or removed, not moved.
    """
    snapshot = load_snapshot(latest(root))
    chosen: dict[str, LoggedItem] = {}
    for item in read_question_log(root):
        row = int(snapshot.photos.rows_of([item.finding.subject])[0])
        moves = snapshot.findings.moves_of([row])[row] if row >= 0 else []
        if item.purpose == "case" and item.finding.kind in ("outlier", "merge", "split") and not moves:
            chosen.setdefault(item.finding.kind, item)
    items = list(chosen.values())
    rows = snapshot.findings.rows_of(pa.array([item.item for item in items])).tolist()
    machine = ["no" if row < 0 else str(snapshot.findings.verdict[row]) for row in rows]
    return items, {i.item: (i.same_means == "yes") == (m != "yes") for i, m in zip(items, machine, strict=True)}


def in_studio(server: Server, root: str, who: str, said: Said) -> None:
    """Answer these questions as an annotator, and collect the answers."""
    account = Annotator(server.url, who)
    for project in StudioClient(server).projects(root_review(root, "")):
        for task in account.tasks(project.id):
            choices = {}
            for place, item in enumerate(task["data"]["items"]):
                if item["id"] in said:
                    other = "other" if project.mark.page == GRID else "different"
                    choices[f"{CELL}{place}" if project.mark.page == GRID else SAME] = (
                        "same" if said[item["id"]] else other
                    )
            if choices:
                account.answer(task["id"], choices)
    collect.fn(root, url=server.url)


def in_gallery(snapshot: Snapshot, who: str, said: Said, items: list[LoggedItem]) -> list[str]:
    """Decide the same in the gallery; returns the ids of the decisions."""
    made = []
    for item in items:
        finding, same = item.finding, said[item.item]
        decision = Decision("finding", finding=item.item, verdict="yes" if same == (item.same_means == "yes") else "no")
        if finding.kind == "outlier":
            decision = Decision("keep" if same else "remove", (finding.subject,))
        made.append(gallery.record(snapshot, decision, who=who).answer_id)
    return made


def votes(root: str) -> tuple[list[dict[str, object]], list[str], list[str]]:
    """Verdicts, disputed and waiting findings, without times."""
    settled = settle(ledger.read(root), votes=2)
    return settled.verdicts.drop_columns(["at", "seconds", "group"]).to_pylist(), settled.disputed, settled.waiting


def labels(root: str) -> list[bytes]:
    """The bytes of the labels."""
    shards = label_again(root, settled_verdicts).labels.shards
    return [(Path(root) / shard.path).read_bytes() for shard in shards]


@pytest.mark.slow
def test_the_same_decisions_there_and_here_give_the_same_verdicts_and_labels(
    server: Server, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", server.token)
    drawn = made_once(tmp_path_factory, "reviewed", lambda folder: refined(str(folder)))
    there, here = (str(shutil.copytree(drawn, tmp_path / f"{tmp_path.name}-{name}")) for name in ("there", "here"))
    before = labels(there)
    send.fn(there, url=server.url, budget=30, audit=0)
    items, wrong = asked(there)
    right = {item: not same for item, same in wrong.items()}
    assert len(items) > 1
    snapshots = [load_snapshot(latest(root)) for root in (there, here)]
    in_studio(server, there, ANN, wrong)
    in_gallery(snapshots[1], ANN, wrong, items)
    assert votes(there) == votes(here)
    assert len(votes(here)[2]) == len(items), "each waits for a second answer"
    # they disagree, one there and one here
    others = [in_gallery(snapshot, BOB, right, items) for snapshot in snapshots]
    assert votes(there) == votes(here)
    assert votes(here)[2] == []
    in_studio(server, there, EVE, wrong)
    in_gallery(snapshots[1], EVE, wrong, items)
    assert votes(there) == votes(here)
    assert labels(there) == labels(here)
    for snapshot, decisions in zip(snapshots, others, strict=True):
        for decision in decisions:
            gallery.undo(snapshot, decision)
        in_gallery(snapshot, CAT, wrong, items)
    assert votes(there) == votes(here)
    assert votes(here)[1:] == ([], []), "three against the machine settle each"
    assert labels(there) == labels(here) != before
    for root in (there, here):
        ledger.withdraw(root, ledger.rows_of(ledger.answers_of_people(ledger.read(root))))
        assert labels(root) == before
