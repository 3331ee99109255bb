"""The review of a root on a real Label Studio: its own questions only, restored from the ledger alone, undone."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from flows.review.flow import collect, send, status
from flows.review.results import CollectedAnswers
from flows.review.root_review import root_review
from flows.review.undo import undo
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.page_templates import CELL, SAME
from pipeline.review.label_studio.records import Server
from pipeline.review.questions.question import GRID
from tests.builders.label_studio.fault_proxy import Proxy
from tests.builders.label_studio.label_server import connection
from tests.builders.label_studio.simulated_annotators import Annotator
from tests.builders.session.made_once import made_once
from tests.builders.tables.drawn_refinement import refined

pytestmark = pytest.mark.server
ANN, BOB, CAT = "ann@example.org", "bob@example.org", "cat@example.org"


@pytest.fixture(scope="module")
def server(label_server: LocalServer) -> Server:
    return connection(label_server)


@pytest.fixture(autouse=True)
def _server_of_the_commands(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", server.token)


@pytest.fixture
def root(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A root of its own for each test, with a name of its own."""
    drawn = made_once(tmp_path_factory, "reviewed", lambda folder: refined(str(folder)))
    shutil.copytree(drawn, tmp_path / tmp_path.name)
    return str(tmp_path / tmp_path.name)


def answer_all(server: Server, root: str, annotator: str, *, again: bool = False, seconds: float = 4.0) -> int:
    """Answer every open page of a root's review: all photos show someone else, all pairs are of two people.

    again: whether pages that the annotator answered before are answered once more.
    """
    account, pages = Annotator(server.url, annotator), 0
    for project in StudioClient(server).projects(root_review(root, "")):
        for task in account.tasks(project.id):
            by = {a["completed_by"] for a in task["annotations"]}
            if not task["is_labeled"] and (again or account.number() not in by):
                cells = range(len(task["data"]["items"]))
                grid = {f"{CELL}{i}": "other" for i in cells}
                account.answer(task["id"], grid if project.mark.page == GRID else {SAME: "different"}, seconds=seconds)
                pages += 1
    return pages


def people(root: str) -> list[tuple[str, str, str]]:
    """Finding, verdict and answer_id of every answer that people gave."""
    rows = ledger.rows_of(ledger.read(root))
    return sorted((r.finding.finding_id, r.verdict, r.answer_id) for r in rows if r.purpose != "policy")


def test_roots_with_one_name_have_questions_of_their_own(root: str, server: Server, tmp_path: Path) -> None:
    namesake = str(tmp_path / "elsewhere" / Path(root).name)
    shutil.copytree(root, namesake)
    send.fn(root, url=server.url, budget=6)
    before = status.fn(root, url=server.url)
    send.fn(namesake, url=server.url, budget=2, audit=0)
    assert sum(q.withdrawn for q in send.fn(root, url=server.url, budget=6).queues) == 0
    assert status.fn(root, url=server.url).queues == before.queues
    others = status.fn(namesake, url=server.url).queues
    assert 0 < sum(q.questions for q in others) < sum(q.questions for q in before.queues)


def test_the_budget_is_the_number_of_questions(root: str, server: Server) -> None:
    sent = send.fn(root, url=server.url, budget=30)
    assert sent.items == 30
    assert 0 < sent.audit < 30, "more than two in five only where other cases are too few"
    assert send.fn(root, url=server.url, budget=30).items == 0
    assert any("every annotator sees" in line for line in sent.lines())
    with Proxy(server.url) as proxy:
        send.fn(root, url=proxy.url, budget=30)
        asked = Counter(line.partition("?")[0] for line in proxy.requests)
        assert asked["GET /api/projects/"] == 2, "before and after the questions are sent"
        assert asked["GET /api/current-user/whoami"] == 1
        proxy.requests.clear()
        collect.fn(root, url=proxy.url)
        assert sum(line.startswith("GET /api/projects/?") for line in proxy.requests) == 1


@pytest.mark.slow
def test_a_review_is_restored_from_the_ledger_alone(root: str, server: Server, tmp_path: Path) -> None:
    """The answers come in that the same review would have given with its question log."""
    send.fn(root, url=server.url, budget=16)
    intact = str(tmp_path / "intact" / Path(root).name)
    answer_all(server, root, ANN)
    shutil.copytree(root, intact)
    shutil.rmtree(Path(root) / "asked")
    restored = str(tmp_path / "restored under another name")
    shutil.move(root, restored)
    lost = collect.fn(restored, url=server.url)
    assert (lost.new, people(restored)) == (0, [])
    assert lost.unknown
    assert any("run review send" in line for line in lost.lines())
    assert collect.fn(restored, url=server.url).unknown == lost.unknown, "the answers come again"
    sent = send.fn(restored, url=server.url, budget=16)
    assert sent.restored
    found = collect.fn(restored, url=server.url)
    assert (found.unknown, collect.fn(intact, url=server.url).unknown) == (0, 0)
    assert people(restored) == people(intact) != []
    assert collect.fn(restored, url=server.url).new == 0


@pytest.mark.slow
def test_the_same_answers_give_the_same_labels_after_the_ledger_was_restored(
    root: str, server: Server, tmp_path: Path
) -> None:
    """With the ledger alone, refined again; the audit is not drawn from what the answers left, as if it were new."""
    restored = str(tmp_path / "restored")
    shutil.copytree(root, restored)
    send.fn(root, url=server.url, budget=8, audit=3, votes=3)
    for annotator in (ANN, BOB, CAT):
        answer_all(server, root, annotator)
    collect.fn(root, url=server.url)
    before, rows = status.fn(root, url=server.url), ledger.read(root)
    shutil.copytree(Path(root) / "ledger", Path(restored) / "ledger")
    label_again(restored, settled_verdicts)  # as `refine` does
    assert latest(restored).labels.read().equals(latest(root).labels.read())
    assert status.fn(restored, url=server.url).audit == before.audit
    send.fn(restored, url=server.url, budget=8, audit=3, votes=3)
    found = collect.fn(restored, url=server.url)
    assert (found.new, found.changed, found.unknown) == (0, False, 0)
    assert latest(restored).labels.read().equals(latest(root).labels.read())
    after = {(r.finding.finding_id, r.belief) for r in ledger.rows_of(ledger.read(restored))}
    asked = {r.finding.finding_id for r in ledger.rows_of(rows)}
    assert {r for r in after if r[0] in asked} == {(r.finding.finding_id, r.belief) for r in ledger.rows_of(rows)}
    assert before.audit is not None
    assert status.fn(restored, url=server.url).audit in (before.audit, None), "the same, or begun anew"


@pytest.mark.slow
def test_a_finished_page_without_a_verdict_is_asked_again(root: str, server: Server) -> None:
    """One of two answers was withdrawn, so the server counts a page as finished that has no verdict."""
    send.fn(root, url=server.url, budget=3, audit=0)
    for annotator in (ANN, BOB):
        answer_all(server, root, annotator)
    collect.fn(root, url=server.url)
    undo.fn(root, by=ANN)
    repeated = send.fn(root, url=server.url, budget=3, audit=0).repeated
    assert repeated >= 3
    assert send.fn(root, url=server.url, budget=3, audit=0).repeated == 0, "they wait on the server now"
    answer_all(server, root, CAT)
    collected = collect.fn(root, url=server.url)
    assert collected.waiting == 0
    # the same annotator answers in the usual project and in that for one more opinion: one answer, like in status
    undo.fn(root, by=BOB)
    assert send.fn(root, url=server.url, budget=3, audit=0).repeated >= 3
    answer_all(server, root, CAT)
    collected = collect.fn(root, url=server.url)
    assert collected.new == 0
    assert collected.again
    assert "that were changed or given once more" in collected.lines()[0]


@pytest.mark.slow
def test_collect_and_undo_say_what_they_change(root: str, server: Server) -> None:
    send.fn(root, url=server.url, budget=10, audit=4, votes=3)
    before = latest(root)
    for annotator in (ANN, BOB, CAT):
        answer_all(server, root, annotator)
    collected = collect.fn(root, url=server.url)
    assert (collected.kept_before, collected.kept) == (before.account.kept, latest(root).account.kept)
    moved = sum(c.photos for c in collected.changes if c.before == "kept") - kept_now(collected)
    assert moved == before.account.kept - collected.kept > 0
    assert any("photos: kept -> outlier" in line for line in collected.lines())
    with pytest.raises(UserError, match="no answer of eve"):
        undo.fn(root, by="eve@example.org")
    with pytest.raises(UserError, match="Give --decision ID, or --by WHO"):
        undo.fn(root)
    with pytest.raises(UserError, match="no answer of ann"):
        undo.fn(root, by=ANN, since="2100-01-01")
    one = people(root)[0]
    assert undo.fn(root, decision=one[0]).findings == 1
    assert one[0] not in {finding for finding, *_ in people(root)}
    undone = undo.fn(root, by=ANN)
    assert undone.answers
    assert undone.kept == before.account.kept
    assert ANN not in {r.who for r in ledger.rows_of(ledger.read(root))}
    assert ANN in {r.who for r in ledger.rows_of(ledger.read(root, superseded=True))}, "nothing is taken out"
    assert latest(root).labels.read().equals(before.labels.read())
    assert collect.fn(root, url=server.url).new == 0, "the same answers do not come back"


def kept_now(collected: CollectedAnswers) -> int:
    """Photos that were removed before and are kept now."""
    return sum(c.photos for c in collected.changes if c.after.startswith("kept") and not c.before.startswith("kept"))


def test_a_deleted_project_is_told_and_its_questions_come_again(root: str, server: Server) -> None:
    first = send.fn(root, url=server.url, budget=4, audit=0)
    answer_all(server, root, ANN)
    collect.fn(root, url=server.url)
    answers = people(root)
    client = StudioClient(server)
    for project in client.projects(root_review(root, "")):
        client.sdk.projects.delete(project.id)
    shown = status.fn(root, url=server.url)
    assert shown.deleted
    told = collect.fn(root, url=server.url)
    assert told.deleted == shown.deleted
    assert any("was deleted on the server: the ledger has its answers" in line for line in told.lines())
    assert people(root) == answers
    assert send.fn(root, url=server.url, budget=4, audit=0).items == first.items
    assert status.fn(root, url=server.url).deleted == []


def test_status_uses_the_pages_words_and_a_second_submission_counts_once(root: str, server: Server) -> None:
    send.fn(root, url=server.url, budget=4, audit=0)
    answer_all(server, root, ANN, seconds=20.0)
    collect.fn(root, url=server.url)
    once = status.fn(root, url=server.url)
    (ann,) = once.annotators
    assert {row["pages"] for row in once.rows()} <= {
        "who does not belong?",
        "the same person?",
        "which show one person?",
    }
    assert any(row["time left"] != "0 min" for row in once.rows())
    answer_all(server, root, ANN, again=True, seconds=20.0)
    collect.fn(root, url=server.url)
    (twice,) = status.fn(root, url=server.url).annotators
    assert (twice.answers, twice.seconds) == (ann.answers, ann.seconds)
