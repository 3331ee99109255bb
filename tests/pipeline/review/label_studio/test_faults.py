"""Faults between this program and a real Label Studio: requests are repeated; lasting faults are errors in one line."""

import subprocess
import sys
import time
from collections import Counter

import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio import client
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.records import Server
from tests.builders.label_studio.fault_proxy import Fault
from tests.builders.label_studio.label_server import begin, connection
from tests.builders.label_studio.review_pages import grid, pair
from tests.builders.label_studio.sent_questions import on_server, post, review_of
from tests.builders.processes.waiting import wait_until

pytestmark = pytest.mark.server


IMPORT = r"/api/projects/\d+/import"


SENDER = """
import sys, time
from pipeline.review.label_studio import send
from pipeline.review.label_studio.records import Server
from pipeline.review.label_studio.send import send_questions
from tests.builders.label_studio.review_pages import grid, ids, pictures
from tests.builders.label_studio.sent_questions import review_of
send.BATCH = 3
questions = [grid(f"person {i}") for i in range(12)]
server, review = Server(sys.argv[1], sys.argv[2]), review_of(sys.argv[3])
send_questions(server, review, "all", questions, pictures, wanted_items=ids(*questions))
"""


@pytest.mark.parametrize("batch", [1, 3])
def test_a_send_that_was_killed_is_completed_and_nothing_is_doubled(server, proxy, batch):
    name, questions = f"killed in batch {batch}", [grid(f"person {i}") for i in range(12)]
    proxy.faults = [Fault(IMPORT, "POST", times=batch - 1), Fault(IMPORT, "POST", seconds=5)]
    command = [sys.executable, "-c", SENDER, proxy.url, server.token, name]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as sender:
        while sum("/import" in line for line in proxy.requests) < batch:
            assert sender.poll() is None
            time.sleep(0.02)
        sender.kill()
    assert post(server, name, *questions) == (12 - 3 * (batch - 1), 3 * (batch - 1), 0)
    # what the killed program asked for last reaches the server only now
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
