"""Faults between this program and a real Label Studio: requests are repeated; lasting faults are errors in one line."""

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio import client
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.collect import collect_answers
from pipeline.review.label_studio.records import Server
from pipeline.review.questions.question import PAIR
from tests.builders.label_studio.fault_proxy import Fault
from tests.builders.label_studio.label_server import begin, connection
from tests.builders.label_studio.review_pages import grid, ids, pair
from tests.builders.label_studio.sent_questions import on_server, post, project, review_of, tasks
from tests.builders.processes.waiting import wait_until

pytestmark = pytest.mark.server


IMPORT = r"/api/projects/\d+/import"


SENDER = """
import sys, time
from pipeline.review.label_studio import send
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.records import Server
from pipeline.review.label_studio.send import send_questions
from tests.builders.label_studio.review_pages import grid, ids, pictures
from tests.builders.label_studio.sent_questions import review_of
send.BATCH = 3
questions = [grid(f"person {i}") for i in range(12)]
server, review = Server(sys.argv[1], sys.argv[2]), review_of(sys.argv[3])
send_questions(StudioClient(server), review, "all", questions, pictures, wanted_items=ids(*questions))
"""


@pytest.mark.parametrize("batch", [1, 3])
def test_a_send_that_was_killed_is_completed_and_nothing_is_doubled(server, proxy, batch):
    name, questions = f"killed in batch {batch}", [grid(f"person {i}") for i in range(12)]
    arrives = threading.Event()
    proxy.faults = [Fault(IMPORT, "POST", times=batch - 1), Fault(IMPORT, "POST", until=arrives)]
    command = [sys.executable, "-c", SENDER, proxy.url, server.token, name]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as sender:
        while sum("/import" in line for line in proxy.requests) < batch:
            assert sender.poll() is None
            time.sleep(0.02)
        sender.kill()
    assert post(server, name, *questions) == (12 - 3 * (batch - 1), 3 * (batch - 1), 0)
    arrives.set()  # what the killed program asked for last reaches the server only now
    wait_until(lambda: max(on_server(server, name).values()) == 2, "the last request is not forwarded")
    assert post(server, name, *questions) == (0, 12, 0)
    assert on_server(server, name) == Counter(q.id for q in questions)


def test_requests_wait_for_a_server_that_restarts_and_fail_for_one_that_is_down(tmp_path, monkeypatch, capsys):
    local = begin(tmp_path / "review" / "server")
    try:
        server, port = connection(local), int(local.url.rsplit(":", 1)[1])
        assert post(server, "restart", grid("a")) == (1, 0, 0)
        local.stop()
        monkeypatch.setattr(client, "FIRST_PATIENCE_S", 1.0)
        with pytest.raises(UserError, match=r"no Label Studio answers at .* start it") as raised:
            post(server, "restart", grid("a"), grid("b"))
        assert "\n" not in str(raised.value)
        local = begin(tmp_path / "review" / "server", port)
        assert post(server, "restart", grid("a"), grid("b")) == (1, 1, 0)
        assert set(on_server(server, "restart").values()) == {1}
    finally:
        local.stop()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(IMPORT, "POST", status=429, headers={"retry-after": "1"}),
        Fault(IMPORT, "POST", status=500),
        Fault(IMPORT, "POST", status=500, after=True),  # the server did the work although it answers with an error
        Fault(IMPORT, "POST", status=502, body=b"<html>bad gateway</html>", times=2),
        Fault(r"/api/projects/$", "POST", status=500, after=True),
        Fault(r"/api/tasks/\?", "GET", status=503, times=2),
        Fault(r"/api/projects/\?", "GET", seconds=1.5),
    ],
    ids=lambda f: f"{f.method} {f.status or 'slow'}{' after' if f.after else ''}",
)
def test_requests_are_repeated_after_temporary_faults_and_nothing_is_doubled(server, proxy, fault, request):
    name, questions = request.node.callspec.id, [grid("a"), grid("b"), pair("c")]
    proxy.faults = [fault]
    assert post(Server(proxy.url, server.token), name, *questions) == (3, 0, 0)
    assert fault.times == 0
    assert on_server(server, name) == Counter(q.id for q in questions)
    assert len(StudioClient(server).projects(review_of(name))) == 2


TASKS, PROJECTS = r"/api/tasks/\?", r"/api/projects/\?"
ODD_REPLIES = {  # replies that are not what Label Studio sends
    "null": Fault(TASKS, status=200, body=b"null"),
    "a list": Fault(PROJECTS, status=200, body=b"[]"),
    "a list of null": Fault(TASKS, status=200, body=b'{"tasks": [null], "total": 1}'),
    "no total": Fault(TASKS, status=200, body=b'{"tasks": []}'),
    "a number": Fault("whoami", status=200, body=b"3"),
    "no account": Fault("whoami", status=200, body=b"{}"),
    "a project without a time": Fault(PROJECTS, status=200, body=b'{"count": 1, "results": [{"id": 1, "title": 2}]}'),
    "half a reply": Fault(PROJECTS, status=200, body=b'{"count": 1, "results": [{"id'),
    "fewer bytes than promised": Fault(TASKS, status=200, body=b'{"tasks": [], "total": 0}', missing_bytes=9),
    "not gzip": Fault(TASKS, status=200, body=b"not compressed", headers={"content-encoding": "gzip"}),
    "not UTF-8": Fault(PROJECTS, status=200, body=b'{"count": 1, "results": ["\xff\xfe"]}'),
    "empty": Fault(TASKS, status=200, body=b""),
    "a superscript": Fault(TASKS, status=429, headers={"retry-after": "\u00b2"}),
}


@pytest.mark.parametrize("odd", ODD_REPLIES)
def test_a_reply_that_cannot_be_read_is_asked_for_again(server, proxy, odd):
    name, fault = f"odd reply: {odd}", replace(ODD_REPLIES[odd])
    proxy.faults = [fault]
    assert post(Server(proxy.url, server.token), name, grid("a")) == (1, 0, 0)
    assert fault.times == 0


@pytest.mark.parametrize("odd", ODD_REPLIES)
def test_a_server_that_sends_only_such_replies_is_an_error_of_one_line(server, proxy, odd, monkeypatch):
    monkeypatch.setattr("pipeline.review.label_studio.retry.PATIENCE_S", 0.6)
    monkeypatch.setattr(client, "FIRST_PATIENCE_S", 0.6)
    proxy.faults = [replace(ODD_REPLIES[odd], times=99)]
    with pytest.raises(UserError, match=proxy.url) as raised:
        post(Server(proxy.url, server.token), f"odd replies: {odd}", grid("a"))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_redirects_in_a_circle_are_an_error(server, proxy):
    proxy.faults = [Fault(PROJECTS, times=99, status=302, headers={"location": "/api/projects/?page=1"})]
    with pytest.raises(UserError, match="redirects in a circle"):
        post(Server(proxy.url, server.token), "circle", grid("a"))


def test_a_server_that_caps_its_pages_loses_no_answer_and_doubles_no_question(server, proxy, ada):
    capped, questions = Server(proxy.url, server.token), [pair(f"person {i}") for i in range(7)]
    proxy.rewrite = lambda path: re.sub(r"page_size=\d+", "page_size=3", path)
    assert post(capped, "capped", *questions) == (7, 0, 0)
    assert post(capped, "capped", *questions) == (0, 7, 0)
    assert on_server(server, "capped") == Counter(q.id for q in questions)
    for task in tasks(capped, "capped", PAIR).values():
        ada.answer(task.id, {"same": "different"})
    answers, cursor = collect_answers(capped, review_of("capped"), {})
    assert {a.item for a in answers} == ids(*questions)
    assert collect_answers(capped, review_of("capped"), cursor)[0] == []


def test_accounts_and_answers_that_a_listing_leaves_out_are_asked_for_one_by_one(server, proxy, ada, grace):
    question, review = pair("a"), review_of("left out")
    post(server, "left out", question)
    task = tasks(server, "left out", PAIR)[question.id].id
    for annotator in (ada, grace):
        annotator.answer(task, {"same": "same"})
    complete, cursor = collect_answers(server, review, {})
    rows = ada.tasks(project(server, "left out", PAIR).id)
    rows[0]["annotations"] = rows[0]["annotations"][:1]
    body = json.dumps({"tasks": rows, "total": 1, "total_annotations": 2, "total_predictions": 1}).encode()
    proxy.faults = [
        Fault(r"/api/users/?(\?|$)", times=9, status=200, body=b"[]"),
        Fault(TASKS, times=9, status=200, body=body),
    ]
    assert collect_answers(Server(proxy.url, server.token), review, {}) == (complete, cursor)
    assert {a.annotator for a in complete} == {ada.email, grace.email}
    one = json.dumps(rows[0]["annotations"]).encode()
    proxy.faults.append(Fault(rf"/api/tasks/{task}/annotations", times=9, status=200, body=one))
    with pytest.raises(UserError, match="lists 1 of 2 answers to task"):
        collect_answers(Server(proxy.url, server.token), review, {})


def test_a_proxy_that_drops_the_page_number_is_an_error(server, proxy):
    proxy.rewrite = lambda path: re.sub(r"([?&])page=\d+&page_size=\d+", r"\1page=1&page_size=2", path)
    questions = [grid(f"person {i}", cells=1) for i in range(3)]
    assert post(server, "dropped", *questions) == (3, 0, 0)
    with pytest.raises(UserError, match="page 2 is page 1 again"):
        post(Server(proxy.url, server.token), "dropped", *questions)
    assert on_server(server, "dropped") == Counter(q.id for q in questions)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(IMPORT, "POST", times=99, status=500), "fails with 500"),
        (
            Fault(IMPORT, "POST", times=99, status=500, body=b'{"detail": "database or disk is full"}'),
            "disk of the server",
        ),
        (Fault(IMPORT, "POST", times=99, status=429, headers={"retry-after": "60"}), "fewer requests"),
        (Fault(IMPORT, "POST", times=99, status=400), "refuses questions"),
        (Fault(IMPORT, "POST", times=99, status=403), "does not let this account"),
        (Fault(r"/api/tasks/\?", "GET", times=99, seconds=8), "too long"),
        (Fault("whoami", "GET", times=99, status=200, body=b"<html>a shop</html>"), "not a Label Studio"),
    ],
)
def test_lasting_faults_raise_an_error_and_the_next_send_completes_the_work(
    server, proxy, fault, words, monkeypatch, request
):
    monkeypatch.setattr("pipeline.review.label_studio.retry.PATIENCE_S", 1.5)
    if fault.seconds:
        monkeypatch.setattr(client, "REQUEST_TIMEOUT_S", fault.seconds / 2)
    name, questions = request.node.callspec.id, [grid("a"), grid("b")]
    proxy.faults = [fault]
    with pytest.raises(UserError, match=words) as raised:
        post(Server(proxy.url, server.token), name, *questions)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400
    proxy.faults = []
    assert sum(post(Server(proxy.url, server.token), name, *questions)[:2]) == 2
    assert on_server(server, name) == Counter(q.id for q in questions)
