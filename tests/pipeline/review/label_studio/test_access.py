"""Access to a Label Studio server: tokens, addresses, pictures in a folder, and a server that listens on loopback."""

from pathlib import Path

import httpx
import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio.records import Server
from tests.builders.label_studio.review_pages import grid, ids, pair, pictures
from tests.builders.label_studio.sent_questions import post, project, review_of, sent_items

pytestmark = pytest.mark.server


def test_pictures_in_a_folder_are_served_to_users_who_are_logged_in_only(server, label_server, ada):
    media = label_server.media
    earlier = set(media.glob("*"))  # the server is shared with other tests
    post(server, "media", grid("folder"), media=media)
    (task,) = ada.tasks(project(server, "media").id)
    address = task["data"]["items"][0]["picture"]
    assert address.startswith("/data/local-files/?d=files/")
    assert ada.web.get(address).content == pictures(["folder-0"])["folder-0"].view
    assert httpx.get(server.url + address, trust_env=False, timeout=120, verify=False).status_code in (401, 403)
    assert post(server, "media", grid("folder"), media=media) == (0, 1, 0), "its seal is intact"
    files = set(media.iterdir())
    assert len(files - earlier) == 3 + 3 + 4  # the cells' with their photos, these large, the sure ones' faces alone
    post(server, "media again", grid("folder"), media=media)
    assert set(media.iterdir()) == files


def test_a_folder_that_the_server_may_not_show_raises_an_error(server, tmp_path):
    with pytest.raises(UserError, match="refuses to show pictures from"):
        post(server, "elsewhere", grid("a"), media=tmp_path / "files")


def test_the_error_for_a_wrong_token_does_not_contain_the_token(server):
    wrong = Server(server.url, "f" * 40)
    with pytest.raises(UserError, match="refuses the token") as raised:
        post(wrong, "x", grid("a"))
    assert "\n" not in str(raised.value)
    assert wrong.token not in str(raised.value)
    assert wrong.token not in repr(wrong)


@pytest.mark.parametrize("token", ["", "two words", "tökén", "line\n"])
def test_a_malformed_token_raises_an_error(server, token):
    with pytest.raises(UserError, match="is not a token"):
        sent_items(Server(server.url, token), review_of("x"))


def test_a_personal_access_token_is_accepted(server, ada):
    post(server, "personal", pair("a"))
    csrf = {"X-CSRFToken": ada.web.cookies["csrftoken"], "Referer": server.url}
    personal = ada.web.post("/api/token/", headers=csrf).json()["token"]
    assert sent_items(Server(server.url, personal), review_of("personal")) == {"all": ids(pair("a"))}
    with pytest.raises(UserError, match="refuses the token") as raised:
        sent_items(Server(server.url, personal[:-3] + "abc"), review_of("personal"))
    assert personal[:-3] not in str(raised.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://"])
def test_a_malformed_address_raises_an_error(url):
    with pytest.raises(UserError, match="is not an address"):
        sent_items(Server(url, "token"), review_of("x"))


def test_the_server_listens_on_loopback_only_and_its_secrets_are_private(label_server):
    for secret in (label_server.token, label_server.password):
        assert secret.stat().st_mode & 0o777 == 0o600
    port = f":{int(label_server.url.rsplit(':', 1)[1]):04X}"
    if Path("/proc/net/tcp").exists():
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = [s[1].rsplit(":", 1)[0] for s in sockets if s[1].endswith(port) and s[3] == "0A"]
        assert set(listening) == {"0100007F"}
    log = (label_server.token.parent / "server.log").read_text(errors="replace")
    assert label_server.token.read_text().strip() not in log
