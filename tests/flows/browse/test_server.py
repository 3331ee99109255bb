"""The gallery's port: who may use it, what it answers, and what a decision there does."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from flows.browse import endpoints
from flows.browse.endpoints import gallery_app
from flows.browse.gallery import Gallery
from flows.browse.guard import KEY_HEADER, Guard, new_secrets
from pipeline.browse.pages.photo_pictures import WholePhoto
from pipeline.browse.snapshot import REASONS
from pipeline.refinement import latest
from pipeline.root_lock import root_lock
from tests.builders.processes.served_gallery import KNOWN, TOKEN, started, wait_until
from tests.builders.tables.drawn_refinement import refined

PORT = 8080
OWN = f"http://127.0.0.1:{PORT}"
OF_JSON = {"Origin": OWN, KEY_HEADER: KNOWN.key, "Content-Type": "application/json"}


class Opened:
    """A gallery and a browser that was opened with the token."""

    def __init__(self, gallery: Gallery) -> None:
        self.root = gallery.root
        self.gallery = gallery
        self.app = Guard(gallery_app(self.gallery), known=KNOWN, port=PORT)
        self.client = TestClient(self.app, base_url=OWN)
        to = self.client.get(f"/?token={TOKEN}", follow_redirects=False)
        assert (to.status_code, to.headers["location"]) == (303, f"/#key={KNOWN.key}")

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(f"/api/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, *, status: int = 200, **headers: str) -> Any:
        answer = self.client.post(f"/api/{path}", json=body, headers={**OF_JSON, **headers})
        assert answer.status_code == status, answer.text
        return answer.json() if answer.headers["content-type"] == "application/json" else answer.text

    def labels(self) -> dict[str, tuple[str | None, str]]:
        rows = latest(self.root).labels.read(["face_id", "identity", "reason"]).to_pylist()
        return {row["face_id"]: (row["identity"], row["reason"]) for row in rows}

    def labelled(self) -> None:
        wait_until(lambda: not self.gallery.is_pending)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    root = str(tmp_path_factory.mktemp("browse"))
    refined(root)
    with started(root, "ann") as gallery:
        yield Opened(gallery)


def test_the_port_answers_only_the_browser_that_was_opened(opened: Opened) -> None:
    def status(path: str = "/api/state", **headers: str) -> int:
        stranger = TestClient(opened.app, base_url=headers.pop("base", OWN))
        return stranger.get(path, headers=headers).status_code

    good = f"refinery_browse_{PORT}={KNOWN.cookie}"
    assert status(cookie=good) == 200
    for foreign in ('a={"x": 1}', "flag", "a@b=1", 'b="', "=; ;"):  # browsers send those of every local program, too
        assert status(cookie=f"{foreign}; {good}; {foreign}") == 200
    assert status() == status(cookie=f"refinery_browse_{PORT}=wrong") == status(cookie="refinery_browse_8081=a-cookie")
    assert status(cookie=f"refinery_browse_{PORT}={TOKEN}") == 401
    assert (
        status(f"/?token={KNOWN.cookie}", cookie=good) == 401
    )  # the cookie, which other servers here get, opens nothing
    assert status() == status("/") == status("/static/app.js") == status("/?token=wrong") == 401
    link = {"identity": '../<"é#'}
    elsewhere = TestClient(opened.app, base_url=OWN).get("/open", params=link)
    assert (elsewhere.status_code, 'href=""' in elsewhere.text) == (401, True)  # the same link, from the gallery's page
    place = opened.client.get("/open", params=link, follow_redirects=False)
    assert (place.status_code, place.headers["location"]) == (303, "/#/identity/..%2F%3C%22%C3%A9%23")
    assert status(cookie=good, host="evil.example") == status(cookie=good, host="127.0.0.1:9") == 400
    assert status(f"/?token={TOKEN}", host="evil.example:8080") == 400
    # a page of another site, even with the cookie, changes nothing
    body = {"kind": "merge", "name": "p01", "other": "p02"}
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        opened.post("decide", body, status=403, **headers)
    for key in ("", TOKEN, KNOWN.cookie, "wrong"):  # who has the cookie alone only reads
        refused = opened.post("decide", body, status=403, **{KEY_HEADER: key})
        assert "printed again" in refused["error"]
    without_origin = {KEY_HEADER: KNOWN.key}  # of no browser
    assert opened.client.post("/api/decide", json=body, headers=without_origin).status_code == 403
    cookie = TestClient(opened.app, base_url=OWN).get(f"/?token={TOKEN}", follow_redirects=False).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert len({*new_secrets(), *new_secrets()}) == 6
    assert "SameSite=Strict" in cookie


def test_a_browser_leaves_port_80_out_of_an_address(opened: Opened) -> None:
    for port, status in ((80, 303), (PORT, 400)):
        stranger = TestClient(Guard(gallery_app(opened.gallery), known=KNOWN, port=port), base_url="http://127.0.0.1")
        assert stranger.get(f"/?token={TOKEN}", follow_redirects=False).status_code == status


def test_an_erased_photo_is_shown_to_nobody(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = opened.gallery.loaded()
    face, before = loaded.snapshot.photos.face_id(5), loaded.snapshot
    with monkeypatch.context() as patch:
        patch.setattr(endpoints, "whole_photo", lambda *_: WholePhoto(b"a picture", (2, 1)))
        assert opened.client.get(f"/photo/{face}.jpg").content == b"a picture"
    reason = before.fates.reason.copy()
    reason[5] = REASONS.index("erased")
    labels = replace(before.refinement.labels, address="of another labelling")
    erased = replace(
        before, fates=replace(before.fates, reason=reason), refinement=replace(before.refinement, labels=labels)
    )
    monkeypatch.setattr(opened.gallery, "_loaded", replace(loaded, snapshot=erased))
    for path in (f"/photo/{face}.jpg", f"/face/{face}.jpg", f"/api/photo/boxes?face={face}"):
        answer = opened.client.get(path)
        assert (answer.status_code, "erased on request" in answer.json()["error"]) == (422, True)
    assert "erased on request" in opened.post("ask", {"faces": [face]}, status=422)["error"]


def test_only_its_own_files_are_served_and_nothing_else_runs_in_a_page(opened: Opened) -> None:
    page = opened.client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    for name in ("app.js", "style.css", "icon.svg"):
        assert opened.client.get(f"/static/{name}").status_code == 200
    for name in ("../flow.py", "..%2fflow.py", "%2e%2e/flow.py", "nothing.js", "....//flow.py"):
        assert opened.client.get(f"/static/{name}").status_code == 404
    for face in ("0" * 20, "../../labels", "..%2f..%2flabels", "%00", "é" * 30):
        for kind in ("face", "photo"):
            assert opened.client.get(f"/{kind}/{face}.jpg").status_code in (404, 422)
    assert opened.client.get("/api/photo", params={"face": "f" * 20}).status_code == 404  # of another root


def test_pages_have_what_the_tables_have(opened: Opened) -> None:
    account = opened.get("overview")
    assert sum(outcome["photos"] for outcome in account["outcomes"]) == account["ingested"] == 741
    assert {"rule", "became", "decides"} <= account["thresholds"][0].keys()
    page = opened.get("identities", order="removed", limit=3)
    assert page["total"] == 65 + 3
    assert page["rows"][0]["removed"] >= page["rows"][1]["removed"] >= page["rows"][2]["removed"] > 0
    assert [row["name"] for row in opened.get("identities", query="Q0", order="name")["rows"]] == [
        f"q{i:02d}" for i in range(4)
    ]
    view = opened.get("identity", name="p10")
    assert sum(len(group["faces"]) for group in view["groups"]) == view["faces"] == 18
    assert "p10" in view["persons"]
    assert {"kept", "moved away", "removed"} == {group["fate"] for group in view["groups"]}
    near = opened.get("identity/near", name="p00")
    assert near[0]["name"] == "q00"
    assert near[0]["score"] > near[1]["score"]
    moved = next(f for g in opened.get("identity", name="p20")["groups"] for f in g["faces"] if f["identity"] == "p30")
    photo = opened.get("photo", face=moved["face_id"])
    assert photo["reason"] == "misplaced"
    assert photo["words"]["fate"] == "kept under p30 (misplaced)"
    assert [f["kind"] for f in photo["findings"] if f["decided"]] == ["misplaced"]
    assert opened.get("photo/near", face=moved["face_id"])[0]["name"] == "p30"
    assert opened.client.get("/api/identity", params={"name": "nobody"}).status_code == 422


def test_a_decision_shows_at_once_then_is_in_the_labels_and_undo_brings_them_back(opened: Opened) -> None:
    before, address = opened.labels(), latest(opened.root).labels.address
    group = next(g for g in opened.get("identity", name="p05")["groups"] if g["reason"] == "outlier")
    faces = [face["face_id"] for face in group["faces"]]
    with root_lock(opened.root):  # a refinement runs
        first = opened.post("decide", {"kind": "keep", "faces": faces})
        assert (first["waiting"], first["photos"], first["votes"]) == (3, 0, 2)
        opened.gallery.who = "bob"
        again = opened.post("decide", {"kind": "keep", "faces": faces})
        opened.gallery.who = "eve"  # where the machine is sure, it takes a third vote
        third = opened.post("decide", {"kind": "keep", "faces": faces})
        assert again["in_force"] < third["in_force"] == 3
        assert again["photos"] + third["photos"] == 3
        assert third["changes"] == [{"before": "outlier", "after": "kept", "photos": third["photos"]}]
        assert {f["identity"] for g in opened.get("identity", name="p05")["groups"] for f in g["faces"]} == {"p05"}
        wait_until(lambda: opened.get("state")["waiting"])
        assert "is being refined already" in opened.get("state")["waiting"]
        assert opened.labels() == before
    opened.labelled()
    changed = {face for face, fate in opened.labels().items() if fate != before[face]}
    assert changed == set(faces)
    events = opened.get("history")["events"]
    assert [e["who"] for e in events] == ["eve", "bob", "ann"]
    for event in events:
        opened.post("undo", {"answer_id": event["answer_id"]})
    opened.labelled()
    assert latest(opened.root).labels.address == address
    assert all(e["withdrawn"] for e in opened.get("history")["events"])
    opened.post("undo", {"answer_id": events[0]["answer_id"]}, status=422)
    opened.gallery.who = "ann"


def test_decisions_about_what_is_not_there_are_refused_in_one_line(opened: Opened) -> None:
    face = opened.get("identity", name="p01")["groups"][0]["faces"][0]["face_id"]
    for body in (
        {"kind": "keep"},
        {"kind": "keep", "faces": ["0" * 20]},
        {"kind": "burn", "faces": [face]},
        {"kind": "move", "faces": [face], "name": "<script>alert(1)</script>"},
        {"kind": "merge", "name": "p01", "other": "p01"},
        {"kind": "merge", "name": "p01", "other": "../../etc"},
        {"kind": "split", "name": "p01"},
        {"kind": "finding", "finding": "0" * 20, "verdict": "yes"},
        {"kind": "keep", "faces": [face] * 6000},
        {"faces": 1},
    ):
        answer = opened.post("decide", body, status=422)
        assert "\n" not in answer["error"]
    half = '{"kind": "finding", "finding": "\\ud800", "verdict": "yes"}'  # of a character
    assert opened.client.post("/api/decide", content=half, headers=OF_JSON).status_code == 422
    deep = opened.client.post("/api/decide", content="[" * 100_000, headers=OF_JSON)
    assert (deep.status_code, list(deep.json())) == (400, ["error"])
    assert opened.client.get("/api/identities", params={"order": "x"}).status_code == 422
    assert opened.post("ask", {"faces": [face]}) == {"new": 1}
    opened.post("ask", {"faces": ["0" * 20]}, status=404)
    opened.post("ask", {"faces": []}, status=422)
    assert threading.active_count() < 40
