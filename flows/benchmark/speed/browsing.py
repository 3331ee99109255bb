"""`refinery benchmark browse`: how fast a gallery answers, and how much memory it takes, on a drawn world.

The gallery runs as a user runs it, in a process of its own. Decisions are made while the root is locked, as while a
refinement runs, so that no labels are made at the same time; then the lock is given back, and the labels are timed.
"""

import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any

import httpx
import psutil
import typer

from flows.benchmark.drawn.refinement import publish_drawn
from flows.benchmark.noise import only_table
from flows.browse.guard import KEY_HEADER
from flows.cli.options import Root, Seed
from flows.cli.result import Result
from pipeline.browse.pages.identity_table import ORDERS
from pipeline.errors import UserError
from pipeline.refinement import FILE, latest
from pipeline.root_lock import root_lock
from pipeline.tables import storage

RUN = "from flows.cli.console import main; main()"
OPENED = re.compile(r"open (http://127\.0\.0\.1:\d+)/\?token=(\S+)")
START_S, LABEL_S = 600.0, 3600.0  # seconds that the start, and the labels after the decisions, may take
WAIT_S = 0.1


@dataclass(frozen=True)
class BrowseMeasurement(Result):
    """Seconds of each kind of request, and the most memory of the gallery's process."""

    requests: list[dict[str, Any]]
    photos: int
    identities: int
    findings: int
    start_s: float  # until the address was printed
    ready_s: float  # until the list of identities was there
    map_s: float  # until the map was there: made, or found where an earlier measurement made it
    map_cpu_s: float  # that the gallery's process took for this
    labels_s: float  # until the decisions were in the labels of all photos
    peak_gb: float

    def rows(self) -> list[dict[str, Any]]:
        """One row for each kind of request."""
        return self.requests

    def lines(self) -> list[str]:
        """The size of the data, and what happens once."""
        return [
            f"{self.photos} photos of {self.identities} identities with {self.findings} findings",
            f"the address was there after {self.start_s:.1f} s, all identities after {self.ready_s:.1f} s",
            f"the map was there {self.map_s:.1f} s after it was opened ({self.map_cpu_s:.1f} CPU s)",
            f"decisions were in the labels of all photos {self.labels_s:.1f} s after the lock was given back",
            f"at most {self.peak_gb:.2f} GB of memory",
        ]


class _Timer:
    """Requests to a gallery, with their seconds by kind, and the CPU seconds that its process takes for them."""

    def __init__(self, client: httpx.Client, process: subprocess.Popen[str]) -> None:
        self._client, self._process = client, psutil.Process(process.pid)
        self.seconds: dict[str, list[float]] = {}
        self.cpu: dict[str, float] = {}

    def get(self, kind: str, path: str, **query: Any) -> Any:
        """The answer to a request for a page."""
        return self._timed(kind, lambda: self._client.get(path, params=query))

    def post(self, kind: str, path: str, body: dict[str, Any]) -> Any:
        """The answer to a decision."""
        headers = {"Origin": str(self._client.base_url)}
        return self._timed(kind, lambda: self._client.post(path, json=body, headers=headers))

    def _timed(self, kind: str, request: Callable[[], httpx.Response]) -> Any:
        start, cpu = time.monotonic(), self.cpu_seconds()
        answer = request()
        self.seconds.setdefault(kind, []).append(time.monotonic() - start)
        self.cpu[kind] = self.cpu.get(kind, 0.0) + self.cpu_seconds() - cpu
        if answer.status_code != 200:
            raise UserError(f"the gallery answered {answer.status_code}: {answer.text[:200]}")
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def cpu_seconds(self) -> float:
        """The CPU seconds of the gallery's process so far."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def rows(self) -> list[dict[str, Any]]:
        """Number, median and maximum of each kind, and the mean CPU seconds, which other processes do not change."""
        return [
            {
                "request": kind,
                "times": len(s),
                "median s": f"{median(s):.3f}",
                "longest s": f"{max(s):.3f}",
                "CPU s": f"{self.cpu[kind] / len(s):.3f}",
            }
            for kind, s in self.seconds.items()
        ]


def browse(
    root: Root, *, requests: Annotated[int, typer.Option(help="Requests of each kind.")] = 30, seed: Seed = 0
) -> BrowseMeasurement:
    """Time the pages and decisions of `refinery browse` on a world of `benchmark world`, which is refined first."""
    if requests < 1:
        raise UserError(f"--requests {requests}: give 1 or more")
    if storage.get(root, FILE) is None:
        publish_drawn(*(only_table(root, name) for name in ("photos", "faces", "embeddings")))
    refinement, rng, start = latest(root), random.Random(seed), time.monotonic()  # noqa: S311  a choice of pages
    with _served(root) as (process, client, memory):
        start_s = time.monotonic() - start
        timer = _Timer(client, process)
        timer.get("first page", "/")
        timer.get("first page", "/api/overview")
        _wait(lambda: memory() > 0 and client.get("/api/state").json()["ready"], START_S, process)
        ready_s = time.monotonic() - start
        names = _pages(timer, requests, rng)
        begin, cpu = time.monotonic(), timer.cpu_seconds()
        _wait(lambda: memory() > 0 and client.get("/api/map").status_code == 200, START_S, process)
        map_s, map_cpu_s = time.monotonic() - begin, timer.cpu_seconds() - cpu
        _map(timer, requests, rng, persons=len(refinement.persons))
        memory()
        with root_lock(root):
            answers = [_decision(timer, name) for name in names[: min(requests, 10)]]
            for answer in answers:
                timer.post("undo", "/api/undo", {"answer_id": answer})
            memory()
        begin = time.monotonic()
        _wait(lambda: memory() > 0 and not client.get("/api/state").json()["pending"], LABEL_S, process)
        peak = memory()
    identities = refinement.account.identities_claimed
    return BrowseMeasurement(
        timer.rows(),
        len(refinement.photos),
        identities,
        len(refinement.judged_findings),
        start_s,
        ready_s,
        map_s,
        map_cpu_s,
        time.monotonic() - begin,
        peak / 1e9,
    )


def _pages(timer: _Timer, requests: int, rng: random.Random) -> list[str]:
    """Ask for every kind of page; the names of the identities that were looked at."""
    for order in ORDERS:
        total = timer.get("list of identities, first time in an order", "/api/identities", order=order)["total"]
    for _ in range(requests):
        timer.get("list of identities", "/api/identities", order="removed", offset=rng.randrange(total), limit=200)
        timer.get("search", "/api/identities", order="name", query=str(rng.randrange(10_000)))
    names = [
        timer.get("list of identities", "/api/identities", order="name", offset=rng.randrange(total), limit=1)["rows"][
            0
        ]
        for _ in range(requests)
    ]
    timer.get("names alike, first time", "/api/identity/near", name=names[0]["name"])
    for row in names:
        view = timer.get("identity", "/api/identity", name=row["name"])
        timer.get("names alike", "/api/identity/near", name=row["name"])
        face = view["groups"][0]["faces"][0]["face_id"]
        timer.get("photo", "/api/photo", face=face)
        timer.get("persons like a photo", "/api/photo/near", face=face)
    return [row["name"] for row in names]


def _map(timer: _Timer, requests: int, rng: random.Random, *, persons: int) -> None:
    """Ask for all that the map shows, and for the names of persons as a lasso or the pointer chooses them."""
    for _ in range(requests):
        table = timer.get("map: its figures", "/api/map")["table"]
        timer.get("map: all places and marks", "/api/map/points")
        timer.get("map: search", "/api/map/search", query=str(rng.randrange(10_000)))
        chosen = [rng.randrange(persons) for _ in range(200)]
        timer.post("map: names of 200 persons", "/api/map/persons", {"table": table, "numbers": chosen})
        timer.post("map: name of one", "/api/map/persons", {"table": table, "numbers": chosen[:1]})


def _decision(timer: _Timer, name: str) -> str:
    """Remove the first photo of an identity; returns the decision's id."""
    view = timer.get("identity", "/api/identity", name=name)
    faces = [face["face_id"] for group in view["groups"] if group["reason"] != "split" for face in group["faces"]]
    body = {"kind": "unusable", "faces": faces[:1]}
    return str(timer.post("decision", "/api/decide", body)["answer_id"])


@contextmanager
def _served(root: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client, Callable[[], int]]]:
    """The process of a gallery, a client with its cookie, and a function that gives the most bytes that it held."""
    command = [sys.executable, "-c", RUN, "browse", root, "--no-browser", "--who", "benchmark", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603
    try:
        lines: list[str] = []
        found = None
        for line in process.stderr or ():
            lines.append(line)
            if found := OPENED.search(line):
                break
        if found is None:
            raise UserError(f"the gallery did not start: {''.join(lines[-3:]).strip()}")
        peak = 0

        def memory() -> int:
            nonlocal peak
            peak = max(peak, int(psutil.Process(process.pid).memory_info().rss))
            return peak

        with httpx.Client(base_url=found[1], timeout=START_S) as client:
            place = client.get("/", params={"token": found[2]}).headers["location"]
            client.headers[KEY_HEADER] = place.partition("#key=")[2]
            yield process, client, memory
    finally:
        process.terminate()
        process.communicate()


def _wait(holds: Callable[[], bool], most_s: float, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + most_s
    while not holds():
        if time.monotonic() > deadline or process.poll() is not None:
            raise UserError("the gallery did not get ready: see what `refinery browse` says on this root")
        time.sleep(WAIT_S)
