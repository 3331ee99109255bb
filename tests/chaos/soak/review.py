"""A review by simulated annotators on a real Label Studio, whose commands are killed and started again.

Its root must end equal to a copy of the root in which one undisturbed `collect` took the same answers.
"""

import logging
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from flows.review.root_review import root_review
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refinement import FILE, latest
from pipeline.review.answers import ledger
from pipeline.review.label_studio.records import Server
from tests.builders.label_studio.label_server import begin, connection
from tests.builders.label_studio.simulated_annotators import AnsweredPage, Oracle, answer
from tests.chaos import root_checks
from tests.chaos.killed_command import random_kill
from tests.chaos.soak.bench import SoakBench
from tests.chaos.soak.refinement import UndisturbedStep

log = logging.getLogger("refinery")
REVIEWED_STEP = "all photos"  # the step of the refinement whose result is reviewed
KILLS_A_COMMAND = 4  # after this number of kills a command may end
SEND_OPTIONS = ("--budget", "60", "--audit", "10")
ANNOTATORS = ("ann@example.org", "bob@example.org", "cat@example.org", "dan@example.org")
IN_FIRST_ROUND = 2  # annotators in the first round; from the second round on all of them
SHARE_WRONG = 0.1  # share of wrong answers, so that some findings are disputed and asked about again
PAGES_AT_MOST = 8  # pages that an annotator answers between two commands
ROUNDS = 3  # of send, answer, collect
SECONDS_AT_FIRST = 5.0  # assumed duration of a command that has not run yet


@contextmanager
def label_studio(bench: SoakBench) -> Iterator[Server]:
    """A server of the reviews' root, for as long as the block lasts."""
    local = begin(bench.reviewed / "review/server")
    try:
        yield connection(local)
    finally:
        local.stop()


def killed_review(bench: SoakBench, undisturbed: Mapping[str, UndisturbedStep], server: Server, kills: int) -> None:
    """Run one review of ROUNDS rounds, each of its commands killed again and again until it is done."""
    root, name, report = str(bench.reviewed), f"soak {uuid.uuid4().hex[:8]}", bench.report
    refinement = undisturbed[REVIEWED_STEP].refinement
    _reset(bench, refinement)
    pages: list[AnsweredPage] = []
    project_options = ("--url", server.url, "--name", name)
    for turn in range(ROUNDS):
        _run_until_done(bench, ["review", "send", root, *SEND_OPTIONS, *project_options], kills)
        report.check("doubled", root_checks.doubled_questions(server, root_review(root, name)), f"review, round {turn}")
        oracle = Oracle(root, latest(root), bench.world)
        for annotator in ANNOTATORS if turn else ANNOTATORS[:IN_FIRST_ROUND]:
            review = root_review(root, name)
            pages += answer(server, review, oracle, annotator, wrong=SHARE_WRONG, at_most=PAGES_AT_MOST)
        _run_until_done(bench, ["review", "collect", root, *project_options], kills)
        report.check("lost", root_checks.lost_answers(root, pages), f"review, round {turn}")
        report.check("doubled", root_checks.doubled_rows(root), f"review, round {turn}")
    report.half_written += len(root_checks.half_written(bench.reviewed))
    twin = _unanswered_twin(bench, refinement)
    bench.run("review", ["review", "collect", str(twin), *project_options], twin)
    report.check("different", root_checks.roots_differ(bench.reviewed, twin), "review, against an undisturbed collect")
    report.check("unaccounted", root_checks.unaccounted_photos(root, read_truth(bench.world).keys), "review")
    report.pages_answered += len(pages)
    report.reviews += 1
    log.info("%s", report.lines()[0])


def _reset(bench: SoakBench, refinement: bytes) -> None:
    """Put an undisturbed refinement into the reviews' root; of earlier reviews keep only the server's data."""
    for path in (p for p in bench.reviewed.iterdir() if p.is_dir() and p.name != "review"):
        shutil.rmtree(path)
    shutil.copytree(bench.undisturbed, bench.reviewed, dirs_exist_ok=True)
    (bench.reviewed / FILE).write_bytes(refinement)


def _run_until_done(bench: SoakBench, words: Sequence[str], kills: int) -> None:
    """Start a command again and again until it is done; it is killed up to KILLS_A_COMMAND times."""
    for tries in range(KILLS_A_COMMAND + 1):
        kill = random_kill(bench.rng, seconds=bench.review_seconds.get(words[1], SECONDS_AT_FIRST), files=4)
        last = tries == KILLS_A_COMMAND or not bench.goes_on("review", kills)
        result = bench.run("review", words, bench.reviewed, None if last else kill)
        context = f"{words[1]}, after {kill}"
        bench.report.check("lost", root_checks.unreadable_files(str(bench.reviewed)), context)
        faults = list(root_checks.damaged_files(bench.reviewed, root_checks.digests(bench.reviewed)))
        bench.report.check("different", faults, context)
        if not result.status:
            bench.review_seconds[words[1]] = result.seconds
            return


def _unanswered_twin(bench: SoakBench, refinement: bytes) -> Path:
    """A root with the same questions and no answers: the refinement, the question log, the policy's decisions."""
    twin = bench.out / "twin"
    shutil.rmtree(twin, ignore_errors=True)
    shutil.copytree(bench.undisturbed, twin)
    shutil.copytree(bench.reviewed / "asked", twin / "asked")
    (twin / "review/server").mkdir(parents=True)
    for name in ("token", "url"):  # the token is for the server at that address
        shutil.copyfile(bench.reviewed / "review/server" / name, twin / "review/server" / name)
    (twin / "asked/cursor.json").unlink()
    (twin / FILE).write_bytes(refinement)
    (twin / "ledger").mkdir()
    shutil.copyfile(bench.reviewed / "ledger/root.json", twin / "ledger/root.json")
    rows = ledger.rows_of(ledger.read(str(bench.reviewed), superseded=True))
    ledger.append(str(twin), [r for r in rows if r.purpose == "policy"])
    ledger.set_votes_wanted(str(twin), ledger.votes_wanted(str(bench.reviewed)))
    return twin
