"""The webhook's port: which posts are accepted; it stays open when no run can be started."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.schedule.webhook import HEADER, SECRET, listen
from pipeline.errors import UserError

NO_SERVER = "http://127.0.0.1:9/api"


@pytest.fixture(autouse=True)
def no_server() -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: NO_SERVER}):
        yield


def post(port: int, headers: dict[str, str], body: bytes = b'{"action": "ANNOTATION_CREATED"}') -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def test_with_a_secret_only_posts_that_carry_it_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "grün")
    with listen(0, "flow/name") as port:
        assert post(port, {}) == 401
        assert post(port, {HEADER: "green"}) == 401
        assert post(port, {HEADER: "grün".encode().decode("latin-1")}) == 202


def test_without_a_secret_every_post_from_this_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with listen(0, "flow/name") as port:
        assert post(port, {}, b"x" * 100_000) == 202
        assert post(port, {"Content-Length": "no number"}) == 400
        with pytest.raises(urllib.error.HTTPError, match="501"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60)


def test_the_port_stays_open_when_no_run_can_be_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with caplog.at_level("INFO", logger="refinery"), listen(0, "flow/name", pause_s=0.05) as port:
        for _ in range(2):
            before = caplog.text.count("the schedule will collect")  # a thread of an earlier webhook may log it late
            assert post(port, {}) == 202
            for _ in range(1200):
                if caplog.text.count("the schedule will collect") > before:
                    break
                time.sleep(0.1)
            assert caplog.text.count("the schedule will collect") > before


def test_a_taken_port_is_one_line() -> None:
    with (
        listen(0, "flow/name") as port,
        pytest.raises(UserError, match=f"--webhook-port {port}: "),
        listen(port, "flow/name"),
    ):
        pytest.fail("two servers listen on one port")
