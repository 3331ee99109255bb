"""Sending and collecting with a real Label Studio: nothing lost, nothing doubled."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio import client, exchange
from pipeline.review.label_studio.client import Server, Studio, asked, collect, counts, send
from pipeline.review.label_studio.projects import Cursor, Mark
from pipeline.review.label_studio.server import Local
from pipeline.review.questions.question import GRID, PAIR
from tests.builders.fault_proxy import Fault, Proxy
from tests.builders.label_server import begin, connection
from tests.builders.review_pages import grid, ids, pair, pictures
from tests.chaos.simulated_annotators import Annotator

pytestmark = pytest.mark.server
IMPORT = r"/api/projects/\d+/import"
SENDER = """
import sys, time
from pipeline.review.label_studio import exchange
from pipeline.review.label_studio.client import Server, send
from tests.builders.review_pages import grid, ids, pictures
exchange.BATCH = 3
questions = [grid(f"person {i}") for i in range(12)]
send(Server(sys.argv[1], sys.argv[2]), sys.argv[3], "all", questions, pictures, wanted=ids(*questions))
"""


@pytest.fixture(scope="module")
def server(label_server: Local) -> Server:
    return connection(label_server)


@pytest.fixture(scope="module")
def ada(label_server: Local) -> Annotator:
    return Annotator(label_server.url, "ada@example.org")


@pytest.fixture(scope="module")
def grace(label_server: Local) -> Annotator:
    return Annotator(label_server.url, "grace@example.org")


@pytest.fixture
def proxy(label_server: Local) -> Iterator[Proxy]:
    with Proxy(label_server.url) as between:
        yield between


def post(server, name, *questions, group="all", wanted=None, **more):
    there = ids(*questions) if wanted is None else wanted
    return tuple(send(server, name, group, questions, pictures, wanted=there, **more))


def project(server, name, page=GRID, group="all"):
    (found,) = [p for p in Studio(server).projects(name) if p.mark == Mark(name, group, page)]
    return found


def tasks(server, name, page=GRID):
    studio = Studio(server)
    return {t.question: t for t in studio.tasks(project(server, name, page).id)}


def on_server(server, name):
    """How often each question is there, in every project of a review."""
    studio = Studio(server)
    return Counter(t.question for p in studio.projects(name) for t in studio.tasks(p.id))


def test_sending_twice_adds_nothing_and_a_new_round_withdraws_only_what_nobody_answered(server, ada):
    first, second, third, fourth = grid("a"), grid("b"), pair("c"), grid("d")
    assert post(server, "rounds", first, second, third) == (3, 0, 0)
    assert post(server, "rounds", first, second, third) == (0, 3, 0)
    ada.answer(tasks(server, "rounds")[first.id].id, {"cell_0": "other"})
    assert post(server, "rounds", third, fourth) == (1, 1, 1)  # the second is gone, the first was answered
    assert asked(server, "rounds") == {"all": ids(first, third, fourth)}
    assert set(on_server(server, "rounds").values()) == {1}
    assert post(server, "rounds", wanted=set()) == (0, 0, 2)
    assert asked(server, "rounds") == {"all": ids(first)}


def test_each_group_has_projects_of_its_own(server):
    post(server, "groups", grid("a"), group="Asian")
    post(server, "groups", grid("b"), pair("c"), group="African")
    post(server, "groups of another review", grid("z"), group="African")
    assert asked(server, "groups") == {"Asian": ids(grid("a")), "African": ids(grid("b"), pair("c"))}
    queues = [(q.group, q.page, q.questions, q.answers) for q in counts(server, "groups")]
    assert queues == [("African", GRID, 1, 0), ("African", PAIR, 1, 0), ("Asian", GRID, 1, 0)]


def test_the_answers_of_two_annotators_come_once_each(server, ada, grace):
    one, two = grid("a", cells=2), pair("b")
    post(server, "votes", one, two)
    at, of = tasks(server, "votes")[one.id].id, tasks(server, "votes", PAIR)[two.id].id
    assert collect(server, "votes", {})[0] == []
    changed = ada.answer(at, {"cell_0": "other", "cell_1": "same", "knows": "yes"}, seconds=6)
    answers, cursor = collect(server, "votes", {})
    assert [(a.item, a.choice, a.who, a.knows, a.seconds, a.question) for a in answers] == [
        ("a.0", "other", ada.email, True, 3.0, one.id),
        ("a.1", "same", ada.email, True, 3.0, one.id),
    ]
    assert answers[0].answer_id == answers[1].answer_id
    grace.answer(at, {"cell_0": "unsure", "cell_1": "unusable"})
    grace.answer(of, {"same": "different", "knows": "no"})
    later, cursor = collect(server, "votes", cursor)
    assert [(a.item, a.choice, a.who, a.knows) for a in later] == [
        ("a.0", "unsure", grace.email, None),
        ("a.1", "unusable", grace.email, None),
        ("b.pair", "different", grace.email, False),
    ]
    assert collect(server, "votes", cursor)[0] == []
    ada.answer(at, {"cell_0": "same", "cell_1": "same"}, instead_of=changed)
    again, cursor = collect(server, "votes", cursor)
    assert [(a.item, a.choice, a.answer_id) for a in again] == [
        ("a.0", "same", answers[0].answer_id),
        ("a.1", "same", answers[0].answer_id),
    ]
    assert again[0].at > answers[0].at
    assert collect(server, "votes", cursor) == ([], cursor)
    assert len(collect(server, "votes", {})[0]) == 5
    assert [(q.answered, q.finished, q.answers) for q in counts(server, "votes")] == [(1, 1, 2), (1, 0, 1)]


def test_answers_given_after_the_servers_clock_was_put_back_come_in(server, ada, grace):
    """The cursor stands where the clock was wrong, an hour ahead; then it was put right."""
    one, two = grid("a", cells=1), grid("b", cells=1)
    post(server, "clock", one, two)
    ada.answer(tasks(server, "clock")[one.id].id, {"cell_0": "same"})
    _, cursor = collect(server, "clock", {})
    ((key, text),) = cursor.items()
    kept = Cursor.read(text)
    assert kept.at is not None
    ahead = kept._replace(
        at=kept.at + timedelta(hours=1), seen={i: t + timedelta(hours=1) for i, t in kept.seen.items()}
    )
    cursor = {key: ahead.write({})}
    assert collect(server, "clock", cursor)[0] == []
    grace.answer(tasks(server, "clock")[two.id].id, {"cell_0": "other"})
    answers, cursor = collect(server, "clock", cursor)
    assert ("b.0", "other", grace.email) in [(a.item, a.choice, a.who) for a in answers]
    assert collect(server, "clock", cursor)[0] == []


@pytest.mark.parametrize("batch", [1, 3])
def test_a_send_that_was_killed_is_completed_and_nothing_is_doubled(server, proxy, batch):
    name, questions = f"killed in batch {batch}", [grid(f"person {i}") for i in range(12)]
    proxy.faults = [Fault(IMPORT, "POST", times=batch - 1), Fault(IMPORT, "POST", seconds=2)]
    command = [sys.executable, "-c", SENDER, proxy.url, server.token, name]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as sender:
        while sum("/import" in line for line in proxy.seen) < batch:
            assert sender.poll() is None
            time.sleep(0.02)
        sender.kill()
    assert post(server, name, *questions) == (12 - 3 * (batch - 1), 3 * (batch - 1), 0)
    time.sleep(2.5)  # what the killed program asked for last reaches the server only now
    assert max(on_server(server, name).values()) == 2
    assert post(server, name, *questions) == (0, 12, 0)
    assert on_server(server, name) == Counter(q.id for q in questions)


def test_a_server_that_restarts_is_waited_for_and_one_that_is_away_is_told(tmp_path, monkeypatch, capsys):
    local = begin(tmp_path / "review" / "server")
    try:
        server, port = connection(local), int(local.url.rsplit(":", 1)[1])
        assert post(server, "restart", grid("a")) == (1, 0, 0)
        local.stop()
        monkeypatch.setattr(client, "BEGIN", 1.0)
        with pytest.raises(UserError, match=r"no Label Studio answers at .* start it") as told:
            post(server, "restart", grid("a"), grid("b"))
        assert "\n" not in str(told.value)
        local = begin(tmp_path / "review" / "server", port)
        assert post(server, "restart", grid("a"), grid("b")) == (1, 1, 0)
        assert set(on_server(server, "restart").values()) == {1}
    finally:
        local.stop()


def test_a_deleted_project_is_made_again_and_its_cursor_forgotten(server, ada):
    one = grid("a")
    post(server, "deleted", one)
    ada.answer(tasks(server, "deleted")[one.id].id, {"cell_0": "other"})
    answers, cursor = collect(server, "deleted", {})
    Studio(server).client.projects.delete(project(server, "deleted").id)
    assert collect(server, "deleted", cursor) == ([], {})
    assert post(server, "deleted", one) == (1, 0, 0)
    ada.answer(tasks(server, "deleted")[one.id].id, {"cell_0": "other"})
    again, _ = collect(server, "deleted", cursor)
    assert again[0].answer_id != answers[0].answer_id


def test_a_project_that_is_deleted_while_questions_are_sent_is_made_again(server):
    one = grid("a")

    def deleting(faces):
        for found in Studio(server).projects("deleted meanwhile"):
            if not deleted:
                deleted.append(Studio(server).client.projects.delete(found.id))
        return pictures(faces)

    deleted = []
    assert send(server, "deleted meanwhile", "all", [one], deleting, wanted=ids(one)) == (1, 0, 0)
    assert deleted
    assert on_server(server, "deleted meanwhile") == {one.id: 1}


@pytest.mark.parametrize("answered", [False, True])
def test_a_page_that_was_edited_by_hand_is_put_right(server, ada, answered):
    name, one = f"edited {answered}", pair("a")
    post(server, name, one)
    if answered:
        ada.answer(tasks(server, name, PAIR)[one.id].id, {"same": "same"})
    found = project(server, name, PAIR)
    edited = found.row.label_config.replace('value="cannot tell"', 'value="who knows"')
    Studio(server).client.projects.update(found.id, label_config=edited, maximum_annotations=7, description="our faces")
    assert post(server, name, one, votes=3) == (0, 1, 0)
    now = project(server, name, PAIR)
    assert now.id == found.id
    assert now.row.label_config == found.row.label_config
    assert now.row.maximum_annotations == 3
    assert now.row.description.startswith("our faces\n")


def test_a_renamed_project_is_still_ours(server):
    post(server, "renamed", grid("a"))
    found = project(server, "renamed")
    Studio(server).client.projects.update(found.id, title="Monday's faces")
    assert post(server, "renamed", grid("a")) == (0, 1, 0)
    assert project(server, "renamed").row.title == "Monday's faces"


def test_a_page_that_can_not_be_put_right_is_told(server, ada):
    one = pair("a")
    post(server, "spoilt", one)
    found = project(server, "spoilt", PAIR)
    other = '<View><Text name="title" value="$title"/><Choices name="odd" toName="title"><Choice value="x"/></Choices>'
    Studio(server).client.projects.update(found.id, label_config=f"{other}</View>")
    ada.answer(tasks(server, "spoilt", PAIR)[one.id].id, {"odd": "x"})
    with pytest.raises(
        UserError, match="its page was changed by hand and answered since; give the project another title"
    ):
        post(server, "spoilt", one)
    assert collect(server, "spoilt", {})[0] == []


def test_tasks_that_somebody_edited_or_deleted_are_sent_again_and_never_misread(server, ada, caplog):
    one, two, three = grid("a"), grid("b"), grid("c")
    post(server, "tasks", one, two, three)
    studio, there = Studio(server), tasks(server, "tasks")

    def turn(question):
        data = studio.client.tasks.get(str(there[question.id].id)).data
        studio.client.tasks.update(str(there[question.id].id), data={**data, "items": data["items"][::-1]})

    turn(one)
    turn(two)
    ada.answer(there[two.id].id, {"cell_0": "other"})
    studio.client.tasks.delete(str(there[three.id].id))
    with caplog.at_level("INFO", logger="refinery"):
        assert collect(server, "tasks", {})[0] == []
    assert "1 answers left out: somebody edited" in caplog.text
    assert post(server, "tasks", one, two, three) == (3, 0, 1)
    assert on_server(server, "tasks") == {one.id: 1, two.id: 2, three.id: 1}  # the answered one is never touched
    assert post(server, "tasks", one, two, three) == (0, 3, 0)


def test_a_question_that_is_being_answered_is_not_withdrawn(server, ada):
    one = grid("a")
    post(server, "draft", one)
    task = tasks(server, "draft")[one.id].id
    csrf = {"X-CSRFToken": ada.web.cookies["csrftoken"]}
    begun = {
        "result": [{"from_name": "cell_0", "to_name": "face_0", "type": "choices", "value": {"choices": ["other"]}}]
    }
    ada.web.post(f"/api/tasks/{task}/drafts", json={**begun, "lead_time": 1}, headers=csrf).raise_for_status()
    assert post(server, "draft", wanted=set()) == (0, 0, 0)
    assert asked(server, "draft") == {"all": ids(one)}


def test_pictures_in_a_folder_are_for_who_is_logged_in(server, label_server, ada):
    media = label_server.token.parent.parent / "files"
    post(server, "media", grid("a"), media=media)
    (task,) = ada.tasks(project(server, "media").id)
    address = task["data"]["items"][0]["picture"]
    assert address.startswith("/data/local-files/?d=files/")
    assert ada.web.get(address).content == pictures(["a-0"])["a-0"]
    assert httpx.get(server.url + address, trust_env=False).status_code in (401, 403)
    assert len(list(media.iterdir())) == 3 + 4  # the cells' with their photos, the sure ones' faces alone
    before = sorted(media.iterdir())
    post(server, "media again", grid("a"), media=media)
    assert sorted(media.iterdir()) == before


def test_a_folder_that_the_server_may_not_show_is_told(server, tmp_path):
    with pytest.raises(UserError, match="refuses to show pictures from"):
        post(server, "elsewhere", grid("a"), media=tmp_path / "files")


def test_a_wrong_token_is_told_in_one_line_that_does_not_hold_it(server):
    wrong = Server(server.url, "f" * 40)
    with pytest.raises(UserError, match="refuses the token") as told:
        post(wrong, "x", grid("a"))
    assert "\n" not in str(told.value)
    assert wrong.token not in str(told.value)
    assert wrong.token not in repr(wrong)


@pytest.mark.parametrize("token", ["", "two words", "tökén", "line\n"])
def test_what_can_be_no_token_is_told(server, token):
    with pytest.raises(UserError, match="is no token"):
        asked(Server(server.url, token), "x")


def test_a_personal_access_token_serves_as_well(server, ada):
    post(server, "personal", pair("a"))
    csrf = {"X-CSRFToken": ada.web.cookies["csrftoken"], "Referer": server.url}
    personal = ada.web.post("/api/token/", headers=csrf).json()["token"]
    assert asked(Server(server.url, personal), "personal") == {"all": ids(pair("a"))}
    with pytest.raises(UserError, match="refuses the token") as told:
        asked(Server(server.url, personal[:-3] + "abc"), "personal")
    assert personal[:-3] not in str(told.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://"])
def test_what_is_no_address_is_told(url):
    with pytest.raises(UserError, match="is no address"):
        asked(Server(url, "token"), "x")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(IMPORT, "POST", status=429, headers={"retry-after": "1"}),
        Fault(IMPORT, "POST", status=500),
        Fault(IMPORT, "POST", status=500, after=True),  # the work was done, and nobody said so
        Fault(IMPORT, "POST", status=502, body=b"<html>bad gateway</html>", times=2),
        Fault(r"/api/projects/$", "POST", status=500, after=True),
        Fault(r"/api/tasks/\?", "GET", status=503, times=2),
        Fault(r"/api/projects/\?", "GET", seconds=1.5),
    ],
    ids=lambda f: f"{f.method} {f.status or 'slow'}{' after' if f.after else ''}",
)
def test_faults_that_pass_are_waited_for_and_nothing_is_doubled(server, proxy, fault, request):
    name, questions = request.node.callspec.id, [grid("a"), grid("b"), pair("c")]
    proxy.faults = [fault]
    assert post(Server(proxy.url, server.token), name, *questions) == (3, 0, 0)
    assert fault.times == 0
    assert on_server(server, name) == Counter(q.id for q in questions)
    assert len(Studio(server).projects(name)) == 2


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
        (Fault(r"/api/tasks/\?", "GET", times=99, seconds=3), "too long"),
        (Fault("whoami", "GET", times=99, status=200, body=b"<html>a shop</html>"), "no Label Studio"),
    ],
)
def test_faults_that_stay_are_told_and_the_next_send_goes_on(server, proxy, fault, words, monkeypatch, request):
    monkeypatch.setattr("pipeline.review.label_studio.retry.PATIENCE", 1.5)
    monkeypatch.setattr(client, "SLOW", 1.0)
    name, questions = request.node.callspec.id, [grid("a"), grid("b")]
    proxy.faults = [fault]
    with pytest.raises(UserError, match=words) as told:
        post(Server(proxy.url, server.token), name, *questions)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 400
    proxy.faults = []
    assert sum(post(Server(proxy.url, server.token), name, *questions)[:2]) == 2
    assert on_server(server, name) == Counter(q.id for q in questions)


def test_more_questions_than_one_listing_holds(server, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 4)
    monkeypatch.setattr(exchange, "BATCH", 3)
    questions = [pair(f"person {i}") for i in range(8)]
    assert post(server, "many", *questions) == (8, 0, 0)
    assert post(server, "many", *questions) == (0, 8, 0)
    assert asked(server, "many") == {"all": ids(*questions)}


def test_the_server_listens_on_loopback_only_and_keeps_its_secrets(label_server):
    for secret in (label_server.token, label_server.password):
        assert secret.stat().st_mode & 0o777 == 0o600
    listening = Path("/proc/net/tcp").read_text() if Path("/proc/net/tcp").exists() else ""
    port = f":{int(label_server.url.rsplit(':', 1)[1]):04X}"
    addresses = [line.split()[1] for line in listening.split("\n")[1:] if line and line.split()[3] == "0A"]
    assert {a.rsplit(":", 1)[0] for a in addresses if a.endswith(port)} <= {"0100007F"}
    log = (label_server.token.parent / "server.log").read_text(errors="replace")
    assert label_server.token.read_text().strip() not in log
