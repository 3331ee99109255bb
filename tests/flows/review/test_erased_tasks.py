"""Tasks that may show an erased person leave a real Label Studio, at once or with the next review command."""

import json
import re
import shutil
from pathlib import Path

import pytest

from flows.review.erased_tasks import remove_erased_tasks
from flows.review.flow import send, status
from flows.review.root_review import PROJECTS_FILE, root_review
from pipeline.erasure.open_tasks import items_about, open_items, remember_items
from pipeline.erasure.receipt import Receipt, write_receipt
from pipeline.review.answers import ledger
from pipeline.review.answers.question_log import read_question_log
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.page_templates import CELL, SAME
from pipeline.review.label_studio.records import Server
from pipeline.review.questions.question import GRID
from tests.builders.label_studio.label_server import connection, free_port
from tests.builders.label_studio.simulated_annotators import Annotator
from tests.builders.session.made_once import made_once
from tests.builders.tables.drawn_refinement import refined

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(label_server: LocalServer) -> Server:
    return connection(label_server)


@pytest.fixture
def fresh_root(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, server: Server, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A root without questions on the server."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", server.token)
    drawn = made_once(tmp_path_factory, "reviewed", lambda folder: refined(str(folder)))
    return str(shutil.copytree(drawn, tmp_path / tmp_path.name))


@pytest.fixture
def root(fresh_root: str, server: Server) -> str:
    """A root with questions on the server, and with a receipt that is open."""
    send.fn(fresh_root, url=server.url, budget=12)
    receipt = Receipt("0001", "now", "asked", "", "refinery", {}, {}, "a", "b", "tasks in Label Studio")
    write_receipt(fresh_root, receipt)
    return fresh_root


def tasks(server: Server, root: str) -> dict[int, tuple[str, ...]]:
    """The items of each task of the root's review."""
    client = StudioClient(server)
    return {t.id: t.items for p in client.projects(root_review(root, "")) for t in client.tasks(p.id)}


def test_the_next_command_with_a_server_removes_what_was_left(root: str, server: Server) -> None:
    items = items_about(root, {read_question_log(root)[0].finding.subject}, ())
    assert items
    remember_items(root, items)
    before = tasks(server, root)
    concerned = {i for i, of in before.items() if not set(items).isdisjoint(of)}
    assert concerned
    assert len(concerned) < len(before)
    text = remove_erased_tasks(root, f"http://127.0.0.1:{free_port()}")
    assert "still there" in text
    assert open_items(root) == frozenset(items)
    assert tasks(server, root) == before
    task = min(concerned)
    answer_one(server, root, task)
    status.fn(root, url=server.url)
    assert tasks(server, root).keys() == before.keys() - concerned
    assert not open_items(root)
    assert [r.who for r in ledger.rows_of(ledger.read(root)) if r.purpose != "policy"], "its answer was collected first"
    assert json.loads(Path(root, "erasures/0001.receipt.json").read_text())["open"] == ""
    assert "Still to be done: nothing\n" in Path(root, "erasures/0001.receipt.txt").read_text()
    assert remove_erased_tasks(root, server.url) == "no question about the person is in Label Studio"


def test_tasks_of_a_review_with_another_name_are_removed(fresh_root: str, server: Server) -> None:
    send.fn(fresh_root, url=server.url, budget=12, name="another")
    item = read_question_log(fresh_root)[0].item
    remember_items(fresh_root, [item])
    remove_erased_tasks(fresh_root, server.url)
    client = StudioClient(server)
    left = [t for p in client.projects(root_review(fresh_root, "another")) for t in client.tasks(p.id)]
    assert left
    assert all(item not in t.items for t in left)


def test_tasks_on_another_server_stay_remembered(root: str, server: Server) -> None:
    """The root knows a project of a second server, which does not answer; then that project is gone from the list."""
    remember_items(root, [read_question_log(root)[0].item])
    file = Path(root, PROJECTS_FILE)
    known = json.loads(file.read_text())
    file.write_text(json.dumps(known | {"http://labels.example:80 another": {"1 2026-01-01": "faces of another"}}))
    line = remove_erased_tasks(root, server.url)
    assert re.match(
        rf"1 tasks and \d+ pictures were removed from {server.url}; there may be more at http://labels", line
    )
    assert line.endswith(f"refinery erase {root} --yes --url http://labels.example:80")
    assert open_items(root)
    assert json.loads(Path(root, "erasures/0001.receipt.json").read_text())["open"]
    assert remove_erased_tasks(root, server.url).startswith("0 tasks and 0 pictures")
    file.write_text(json.dumps(known))
    status.fn(root, url=server.url)
    assert not open_items(root)
    assert json.loads(Path(root, "erasures/0001.receipt.json").read_text())["open"] == ""


def answer_one(server: Server, root: str, number: int) -> None:
    account = Annotator(server.url, "ann@example.org")
    for project in StudioClient(server).projects(root_review(root, "")):
        for task in account.tasks(project.id):
            if task["id"] == number:
                cells = range(len(task["data"]["items"]))
                grid = {f"{CELL}{i}": "other" for i in cells}
                account.answer(number, grid if project.mark.page == GRID else {SAME: "different"}, seconds=4.0)
