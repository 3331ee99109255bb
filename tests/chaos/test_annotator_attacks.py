"""An annotator asks the local Label Studio for what only its owner may read, in every way that its pages offer."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.server_folder import prepare
from tests.builders.label_studio.label_server import begin, connection
from tests.builders.label_studio.review_pages import grid
from tests.builders.label_studio.sent_questions import post, project, tasks
from tests.builders.label_studio.simulated_annotators import Annotator

pytestmark = pytest.mark.server
SECRETS = ("token", "password", "server.log", "data/.env", "data/label_studio.sqlite3")
STORAGES = ("/api/storages/localfiles", "/api/storages/export/localfiles")


@pytest.fixture
def eve(label_server: LocalServer) -> httpx.Client:
    """The session of an annotator who was invited, with what a browser sends on every request."""
    web = Annotator(label_server.url, "eve@example.org").web
    web.headers.update({"X-CSRFToken": web.cookies["csrftoken"], "Referer": label_server.url})
    return web


def holds_secret(reply: httpx.Response, secret: Path) -> bool:
    """Whether a reply has a secret's beginning in it."""
    return secret.read_bytes()[:16] in reply.content


def test_nobody_makes_an_account_without_the_link(label_server: LocalServer) -> None:
    with pytest.raises(AssertionError, match="cannot sign up"):
        Annotator(label_server.url, "mallory@example.org", invited=False)
    Annotator(label_server.url, "mallory@example.org")


def test_an_annotator_cannot_make_a_storage_that_leads_to_a_secret(
    label_server: LocalServer, eve: httpx.Client
) -> None:
    server, media = connection(label_server), label_server.media
    post(server, "storages", grid("attack"), media=media)
    number = project(server, "storages").id
    for folder in (label_server.token.parent, media.parent, media / "../../server", media.parent.parent, Path("/")):
        for kind in STORAGES:
            made = eve.post(kind, json={"project": number, "path": str(folder), "title": "x", "use_blob_urls": True})
            assert made.status_code == (403 if "export" in kind else 400), (folder, made.text)
    (own,) = eve.get(STORAGES[0], params={"project": number}).json()
    moved = eve.patch(f"{STORAGES[0]}/{own['id']}", json={"project": number, "path": str(label_server.token.parent)})
    assert moved.status_code == 400, moved.text
    assert eve.get(STORAGES[0], params={"project": number}).json()[0]["path"] == str(media)


def test_an_annotator_cannot_download_a_secret(label_server: LocalServer, eve: httpx.Client) -> None:
    server = connection(label_server)
    post(server, "downloads", grid("attack"), media=label_server.media)
    imports = f"/api/projects/{project(server, 'downloads').id}/import"
    for secret in SECRETS:
        path = label_server.token.parent / secret
        asked = (f"server/{secret}", f"../server/{secret}", f"files/../../server/{secret}", str(path))
        replies = [eve.get("/data/local-files/", params={"d": address}) for address in asked]
        replies += [eve.get(f"/data/upload/{address}") for address in (f"../../{secret}", f"1/../../{path}")]
        replies.append(eve.post(imports, json={"url": f"file://{path}"}))
        assert path.exists()
        for reply in replies:
            assert reply.status_code >= 400, reply.url
            assert not holds_secret(reply, path)


def test_an_annotator_cannot_change_what_is_the_owners(label_server: LocalServer, eve: httpx.Client) -> None:
    server = connection(label_server)
    post(server, "guarded", grid("attack"), media=label_server.media)
    number = project(server, "guarded").id
    storage = {"project": number, "path": str(label_server.media), "title": "x", "use_blob_urls": True}
    own = eve.get("/api/current-user/whoami").json()["id"]
    attacks = [
        ("POST", "/api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": False}),
        ("POST", "/api/invite/reset-token", {}),
        ("POST", "/api/organizations/", {"title": "mine"}),
        ("PATCH", "/api/organizations/1", {"title": "mine"}),
        ("DELETE", "/api/organizations/1/memberships/1/", {}),
        ("PATCH", "/api/users/1", {"first_name": "Eve"}),
        ("PATCH", "/api/users/1/", {"first_name": "Eve"}),
        ("DELETE", "/api/users/1/", {}),
        ("POST", "/api/users/", {"email": "mallory@example.org", "password": "as-long-as-needed-1"}),
        ("POST", "/api/storages/export/localfiles", storage),
    ]
    token = {"Authorization": f"Token {eve.get('/api/current-user/token').json()['token']}"}
    for method, address, body in attacks:
        for reply in (
            eve.request(method, address, json=body),
            httpx.request(
                method, f"{server.url}{address}", json=body, headers=token, trust_env=False, timeout=120, verify=False
            ),
        ):
            assert reply.status_code == 403, (method, address, reply.text)
    assert eve.patch(f"/api/users/{own}/", json={"first_name": "Eve"}).status_code == 200, "her own name she may change"
    assert post(server, "guarded", grid("attack"), media=label_server.media) == (0, 1, 0), "the token works"
    owners = {"Authorization": f"Token {server.token}"}
    renamed = httpx.patch(f"{server.url}/api/users/1/", json={"first_name": "A"}, headers=owners, trust_env=False)
    assert renamed.status_code == 200


def test_a_database_that_is_none_is_one_line(tmp_path: Path) -> None:
    database = tmp_path / "server/data/label_studio.sqlite3"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"no database, and long enough to be told apart from an empty one" * 20)
    with pytest.raises(UserError, match=f"cannot use the database {database}"):
        prepare(tmp_path / "server")


def test_a_server_of_an_earlier_version_gets_new_secrets_and_keeps_its_questions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "review" / "server"
    old = begin(folder)
    owner, ann = connection(old), Annotator(old.url, "ann@example.org")
    post(owner, "kept", grid("kept"), media=old.media)
    key = {"Authorization": f"Token {ann.web.get('/api/current-user/token').json()['token']}"}
    session, password, signing_key = dict(ann.web.cookies), old.password.read_text(), (folder / "data/.env").read_text()
    old.stop()
    (old.media).unlink()  # as an earlier version left it: the folder above was served, and everybody could read files
    database = folder / "data/label_studio.sqlite3"
    with closing(sqlite3.connect(database)) as connection_, connection_:
        connection_.execute("UPDATE jwt_auth_jwtsettings SET legacy_api_tokens_enabled = 0")
        connection_.execute("UPDATE io_storages_localfilesmixin SET path = ?", (str(folder.parent / "files"),))
    database.chmod(0o644)
    folder.chmod(0o755)
    with caplog.at_level("INFO", logger="refinery"):
        new = begin(folder)
    try:
        assert "token, password and sign-up link were made anew" in caplog.text
        assert (new.password.read_text() != password, new.invitation != old.invitation) == (True, True)
        assert (folder / "data/.env").read_text() != signing_key
        for headers, cookies in (({"Authorization": f"Token {owner.token}"}, {}), (key, {}), ({}, session)):
            reply = httpx.get(
                f"{new.url}/api/projects/", headers=headers, cookies=cookies, trust_env=False, verify=False
            )
            assert reply.status_code == 401, headers
        again = Annotator(new.url, "ann@example.org")
        (task,) = tasks(connection(new), "kept").values()
        picture = again.web.get(f"/api/tasks/{task.id}/").json()["data"]["items"][0]["picture"]
        assert again.web.get(picture).headers["content-type"] == "image/jpeg"
        owner_page = httpx.Client(base_url=new.url, follow_redirects=True, trust_env=False, timeout=120, verify=False)
        owner_page.get("/user/login/")
        form = {
            "email": "owner@localhost.localdomain",
            "password": new.password.read_text().strip(),
            "csrfmiddlewaretoken": owner_page.cookies["csrftoken"],
        }
        owner_page.post("/user/login/", data=form, headers={"Referer": new.url})
        assert owner_page.get("/api/current-user/whoami").json()["email"] == form["email"]
        private = [folder, *folder.rglob("*")]
        assert not [p for p in private if p.stat().st_mode & 0o077], "nobody else can read what is in the folder"
    finally:
        new.stop()
