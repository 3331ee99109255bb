"""The two phases of a soak, and what is counted in them.

What an undisturbed run leaves is the measure: after every kill the root may hold less than that and nothing else, and
in the end exactly that. Of a review the measure is one undisturbed collect of the same answers.
"""

import logging
import os
import shutil
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.refined.known_truth import read_truth
from pipeline.refinement import FILE, latest
from pipeline.review.answers import ledger
from pipeline.review.label_studio.client import Server
from pipeline.review.label_studio.server import environment, start
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.chaos import root_checks
from tests.chaos.killed_command import Blow, Ended, command, drawn
from tests.chaos.simulated_annotators import Given, Oracle, answer

log = logging.getLogger("refinery")
SHARDS = "6"
STEPS: dict[str, tuple[str, ...]] = {  # of a refinement, in one root, each with something of those before
    "some photos": ("some",),
    "all photos": ("world",),
    "another rule": ("world", "--min-faces", "3"),
    "other vectors": ("world", "--flip", "add"),
}
REVIEWED = "all photos"  # the step whose result is reviewed
APART = 0.15  # of the runs that are killed have worker processes, which name nothing: another run goes on without
PATIENT = 8  # kills that a step of a refinement takes before it is left to end; a review's command takes half
ASKING = ("--budget", "60", "--audit", "10")
PEOPLE = ("ann@example.org", "bob@example.org", "cat@example.org", "dan@example.org")  # the last two from round two on
WRONG = 0.1  # of their answers, so that some are disputed and asked again
AT_MOST = 8  # pages that one of them answers between two commands
ROUNDS = 3  # of a review: send, answer, collect
PACE_S = 5.0  # of a review's command, before one was timed


@dataclass
class Soak:
    """What was killed and what came of it."""

    out: str
    kills: dict[str, Counter[str]] = field(default_factory=lambda: {"refine": Counter(), "review": Counter()})
    moments: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    refinements: int = 0
    reviews: int = 0
    answers: int = 0
    half_written: int = 0
    checks: int = 0
    unaccounted: int = 0
    doubled: int = 0
    lost: int = 0
    different: int = 0
    other: int = 0
    seconds: float = 0.0
    found: list[str] = field(default_factory=list)

    def rows(self) -> list[dict[str, Any]]:
        """Kills by phase and signal."""
        signs = sorted({s for of in self.kills.values() for s in of})
        return [{"phase": p, "kills": of.total(), **{s: of[s] for s in signs}} for p, of in self.kills.items()]

    def lines(self) -> list[str]:
        """The figures, and what is wrong."""
        kills, minutes = sum(k.total() for k in self.kills.values()), self.seconds / 60
        moments = ", ".join(f"{n} by {what}" for what, n in sorted(self.moments.items()))
        faults = f"{self.unaccounted} photos unaccounted for, {self.doubled} decisions or questions doubled, "
        faults += f"{self.lost} answers lost or invented, {self.different} files or tables that differ, "
        return [
            f"{kills} kills ({moments}), {self.restarts} restarts, {minutes:.0f} minutes",
            f"{self.refinements} refinements and {self.reviews} reviews completed, {self.answers} pages answered",
            f"{self.half_written} half-written files were left by kills, all under names that nobody reads",
            f"checked {self.checks} times: {faults}{self.other} other faults",
            *self.found[:20],
        ]

    def tell(self, kind: str, wrong: Sequence[str], where: str) -> None:
        """Count what a check found."""
        self.checks += 1
        setattr(self, kind, getattr(self, kind) + len(wrong))
        for line in wrong:
            self.found.append(f"{kind}: {where}: {line}")
            log.warning("%s", self.found[-1])


@dataclass(frozen=True)
class Bench:
    """Where a soak works, what it draws from, what it has counted by now, and until when it goes on."""

    out: Path
    rng: np.random.Generator
    made: Soak
    until: float
    pace: dict[str, float] = field(default_factory=dict)  # seconds that a review's command took last

    @property
    def world(self) -> Path:
        """The drawn world."""
        return self.out / "world"

    @property
    def reviewed(self) -> Path:
        """The root of the reviews; the server's own data lies in it, and stays."""
        return self.out / "reviewed"

    def goes_on(self, phase: str, kills: int) -> bool:
        """Whether more kills are wanted of a phase."""
        return self.made.kills[phase].total() < kills and time.monotonic() < self.until

    def run(self, phase: str, words: Sequence[str], root: Path, blow: Blow | None = None) -> Ended:
        """A command of ours, ended by a blow where one is given.

        What ends by itself must end well, what is told to stop must say so, and nobody may be left behind.
        """
        ended = command(words, root=root, log=self.out / "said.txt", blow=blow)
        wrong = ["processes were left"] if ended.orphans else []
        if blow and ended.struck and ended.status:
            self.made.kills[phase][blow.sign] += 1
            self.made.moments[blow.moment] += 1
            stopped = blow.sign != "Ctrl-C" or ended.status == 130
            wrong += [] if stopped else [f"status {ended.status} after Ctrl-C: {ended.said}"]
        elif ended.status:
            wrong.append(f"status {ended.status}: {ended.said}")
        self.made.restarts += bool(ended.status)
        self.made.tell("other", wrong, f"{' '.join(words[:2])}, {blow}")
        return ended


class Expected(NamedTuple):
    """What an undisturbed run of a step leaves in the root, its refinement.json, and the seconds that it takes."""

    files: root_checks.Digests
    refinement: bytes
    seconds: float


def undisturbed(bench: Bench) -> dict[str, Expected]:
    """All steps in a root where nobody kills anything."""
    root, found = bench.out / "undisturbed", {}
    shutil.rmtree(root, ignore_errors=True)
    _some(bench)
    for step in STEPS:
        ended = bench.run("refine", _words(bench, step, root), root)
        if ended.status:
            raise RuntimeError(f"an undisturbed refinement ended with status {ended.status}: {ended.said}")
        found[step] = Expected(root_checks.digests(root), (root / FILE).read_bytes(), ended.seconds)
        log.info("undisturbed, %s: %d files in %.1f s", step, len(found[step].files), ended.seconds)
    return found


def _some(bench: Bench) -> None:
    """Two thirds of the names in a folder of their own: the same files, so that nothing in them is newer."""
    names = sorted(p for p in (bench.world / "photos").iterdir())
    for photo in (p for name in names[: 2 * len(names) // 3] for p in sorted(name.iterdir())):
        to = bench.out / "some" / photo.relative_to(bench.world)
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.exists():
            os.link(photo, to)


def _words(bench: Bench, step: str, root: Path) -> list[str]:
    folder, *more = STEPS[step]
    return [
        "refine",
        "image-folder",
        str(bench.out / folder / "photos"),
        "--root",
        str(root),
        "--detector",
        str(DETECTOR),
        "--embedder",
        str(EMBEDDER),
        "--test-set",
        str(bench.world / "test"),
        "--shards",
        SHARDS,
        *more,
    ]


def refinement(bench: Bench, expected: Mapping[str, Expected], kills: int) -> None:
    """One root through all steps, each killed again and again until it is done; then what was left over is removed."""
    root, made = bench.out / "root", bench.made
    shutil.rmtree(root, ignore_errors=True)
    for step, (files, _, seconds) in expected.items():
        for blows in range(PATIENT + 1):
            left = len(files) - len(root_checks.digests(root))
            blow: Blow | None = drawn(bench.rng, seconds=seconds, files=left)
            apart = ("--workers", "2") if bench.rng.random() < APART else ()
            if blows == PATIENT or not bench.goes_on("refine", kills):
                blow, apart = None, ()
            ended = bench.run("refine", [*_words(bench, step, root), *apart], root, blow)
            found = root_checks.digests(root)
            wrong = [*root_checks.unlike(found, files), *root_checks.broken(root, found)]
            made.tell("different", wrong, f"{step}, after {blow}")
            if not ended.status:
                break
        made.tell("different", root_checks.differ(found, files), f"{step}, done")
        made.tell("unaccounted", root_checks.unaccounted(str(root), _keys(bench, step)), step)
        made.tell("doubled", root_checks.doubled(str(root)), step)
    made.half_written += len(root_checks.half_written(root))
    bench.run("refine", ["clean", str(root), "--min-age", "0"], root)
    made.tell("other", [f"{n} is left" for n in root_checks.half_written(root)], "clean")
    made.tell("unaccounted", root_checks.unaccounted(str(root), _keys(bench, step)), "clean")
    made.refinements += 1
    log.info("%s", made.lines()[0])


def _keys(bench: Bench, step: str) -> list[str]:
    """The photos that a step refines."""
    folder = bench.out / STEPS[step][0] / "photos"
    return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]


@contextmanager
def label_studio(bench: Bench) -> Iterator[Server]:
    """A server of the reviews' root, for as long as it lasts."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    local = start(bench.reviewed / "review/server", port=port, venv=environment())
    try:
        yield Server(local.url, local.token.read_text().strip())
    finally:
        local.stop()


def review(bench: Bench, expected: Mapping[str, Expected], server: Server, kills: int) -> None:
    """One review from its first question to its last answer, each command killed again and again until it is done."""
    root, name, made = str(bench.reviewed), f"soak {uuid.uuid4().hex[:8]}", bench.made
    _begin(bench, expected[REVIEWED])
    given: list[Given] = []
    where = ("--url", server.url, "--name", name)
    for turn in range(ROUNDS):
        _stubbornly(bench, ["review", "send", root, *ASKING, *where], kills)
        made.tell("doubled", root_checks.asked_twice(server, name), f"review, round {turn}")
        oracle = Oracle(root, latest(root), bench.world)
        for who in PEOPLE if turn else PEOPLE[:2]:
            given += answer(server, name, oracle, who, wrong=WRONG, at_most=AT_MOST)
        _stubbornly(bench, ["review", "collect", root, *where], kills)
        made.tell("lost", root_checks.lost(root, given), f"review, round {turn}")
        made.tell("doubled", root_checks.doubled(root), f"review, round {turn}")
    made.half_written += len(root_checks.half_written(bench.reviewed))
    twin = _twin(bench, expected[REVIEWED])
    bench.run("review", ["review", "collect", str(twin), *where], twin)
    made.tell("different", root_checks.otherwise(bench.reviewed, twin), "review, against one undisturbed collect")
    made.tell("unaccounted", root_checks.unaccounted(root, read_truth(bench.world).keys), "review")
    made.answers += len(given)
    made.reviews += 1
    log.info("%s", made.lines()[0])


def _begin(bench: Bench, expected: Expected) -> None:
    """The reviews' root with an undisturbed refinement, and nothing of an earlier review but the server's data."""
    for path in (p for p in bench.reviewed.iterdir() if p.is_dir() and p.name != "review"):
        shutil.rmtree(path)
    shutil.copytree(bench.out / "undisturbed", bench.reviewed, dirs_exist_ok=True)
    (bench.reviewed / FILE).write_bytes(expected.refinement)


def _stubbornly(bench: Bench, words: Sequence[str], kills: int) -> None:
    """Start a command until it is done; it is killed unless it had its share of that, or there were enough."""
    for blows in range(PATIENT // 2 + 1):
        blow = drawn(bench.rng, seconds=bench.pace.get(words[1], PACE_S), files=4)
        last = blows == PATIENT // 2 or not bench.goes_on("review", kills)
        ended = bench.run("review", words, bench.reviewed, None if last else blow)
        where = f"{words[1]}, after {blow}"
        bench.made.tell("lost", root_checks.unread(str(bench.reviewed)), where)
        bench.made.tell(
            "different", list(root_checks.broken(bench.reviewed, root_checks.digests(bench.reviewed))), where
        )
        if not ended.status:
            bench.pace[words[1]] = ended.seconds
            return


def _twin(bench: Bench, expected: Expected) -> Path:
    """A root that was asked the same and has no answer yet: the refinement, the notes, the machine's own views."""
    twin = bench.out / "twin"
    shutil.rmtree(twin, ignore_errors=True)
    shutil.copytree(bench.out / "undisturbed", twin)
    shutil.copytree(bench.reviewed / "asked", twin / "asked")
    (twin / "review/server").mkdir(parents=True)
    shutil.copyfile(bench.reviewed / "review/server/token", twin / "review/server/token")
    (twin / "asked/cursor.json").unlink()
    (twin / FILE).write_bytes(expected.refinement)
    views = [r for r in ledger.read(str(bench.reviewed), every=True).to_pylist() if r["purpose"] == "policy"]
    ledger.append(str(twin), views)
    ledger.agree(str(twin), votes=ledger.terms(str(bench.reviewed))["votes"])
    return twin
