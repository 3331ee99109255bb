"""A real Label Studio for tests, and annotators who answer through its interface as a browser does."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.review import server
from pipeline.review.label_studio import Server
from pipeline.review.server import Local

PASSWORD = "as-long-as-needed-1"


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def begin(folder: Path, port: int = 0) -> Local:
    """A server with an empty database: a copy of one that was made before, as making one takes half a minute."""
    venv = server.environment()
    empty = venv / f"empty-{server.VERSION}"
    if empty.exists() and not folder.exists():
        shutil.copytree(empty, folder)
        folder.chmod(0o700)
    local = server.start(folder, port=port or free_port(), venv=venv)
    if not empty.exists():
        local.stop()
        making = venv / f".empty-{os.getpid()}"
        shutil.copytree(folder, making)
        (making / "server.log").unlink()
        try:
            making.rename(empty)
        except OSError:  # another process was faster
            shutil.rmtree(making)
        local = server.start(folder, port=port or free_port(), venv=venv)
    return local


def connection(local: Local) -> Server:
    """The address and the token of a local server."""
    return Server(local.url, local.token.read_text().strip())


@pytest.fixture(scope="session")
def label_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """One real Label Studio for a session of tests; each test takes a review name of its own."""
    local = begin(tmp_path_factory.mktemp("label-studio") / "review" / "server")
    yield local
    local.stop()


class Annotator:
    """Somebody with an account, who signs up where there is none yet."""

    def __init__(self, url: str, email: str) -> None:
        self.email, self.web = email, httpx.Client(base_url=url, follow_redirects=True, timeout=60, trust_env=False)
        for door in ("/user/login/", "/user/signup/"):
            self.web.get(door)
            form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": self.web.cookies["csrftoken"],
                    "allow_newsletters": "false", "how_find_us": "", "elaborate": ""}  # fmt: skip
            self.web.post(door, data=form, headers={"Referer": f"{url}{door}"})
            if self.web.get("/api/current-user/whoami").status_code == 200:
                return
        raise AssertionError(f"{email} cannot sign up at {url}")

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """What there is to answer."""
        return list(
            self.web.get("/api/tasks/", params={"project": project, "page_size": 1000, "fields": "all"}).json()["tasks"]
        )

    def answer(self, task: int, choices: dict[str, str], *, seconds: float = 4.0, instead_of: int = 0) -> int:
        """Submit choices by the names that the page gives them; instead_of: an annotation that is changed."""
        result = [{"id": n, "from_name": n, "to_name": "title", "type": "choices", "value": {"choices": [c]}}
                  for n, c in choices.items()]  # fmt: skip
        body, headers = {"result": result, "lead_time": seconds}, {"X-CSRFToken": self.web.cookies["csrftoken"]}
        if instead_of:
            reply = self.web.patch(f"/api/annotations/{instead_of}/", json=body, headers=headers)
        else:
            reply = self.web.post(f"/api/tasks/{task}/annotations/", json=body, headers=headers)
        reply.raise_for_status()
        return int(reply.json()["id"])
