"""What people's time is worth: noise left and F1 against questions asked, in the queue's order and in random order.

Annotators are simulated from the truth, each wrong at a given rate; two answer every question and a third where they
differ. Nothing is written to the root.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import typer
from numpy.typing import NDArray

from flows.cli.options import Root, Seed, World
from flows.cli.result import Result
from flows.sample.true_answers import TruePersons, true_persons
from pipeline import schema
from pipeline.errors import UserError
from pipeline.noise.calibration import read_calibration
from pipeline.noise.findings import combine_findings
from pipeline.noise.policy import judge
from pipeline.progress import stage_progress
from pipeline.refined.labels import PERSON_COLUMNS
from pipeline.refined.resolve import resolve
from pipeline.refined.scoring.known_truth import Truth, read_truth
from pipeline.refined.scoring.score import score
from pipeline.refined.verdicts import with_implied_answers
from pipeline.refinement import Refinement, RefineOptions, latest
from pipeline.review.answers.ledger import LedgerRow, table_of
from pipeline.review.answers.machine_views import machine_views
from pipeline.review.answers.votes import settle
from pipeline.review.questions.case import Case
from pipeline.review.questions.cases import find_cases
from pipeline.review.questions.queue import DEFAULT_ANSWER_SECONDS, MIN_ERROR_PROBABILITY, build_queue

log = logging.getLogger("refinery")
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of all that can be asked
ERRORS = [0.05, 0.1]  # of annotators
NEARLY = 0.85  # of all questions
FINDING_COLUMNS = ("finding_id", "kind", "subject", "object")
ORDERS = 5  # random ones, of which the mean is shown


class Point(NamedTuple):
    """After so many questions: share of wrong labels among the photos kept, F1 of the noise, clean photos lost."""

    asked: int
    noise: float
    f1: float
    lost: float


@dataclass(frozen=True)
class ReviewCurves(Result):
    """Curves by the annotators' error rate and the order of the questions."""

    curves: dict[str, list[dict[str, float]]]
    band: int
    pool: int
    reached: list[str]

    def rows(self) -> list[dict[str, Any]]:
        """A line for each number of questions."""
        names = list(self.curves)
        lines = []
        for i, point in enumerate(self.curves[names[0]]):
            shown = {n: f"{self.curves[n][i]['noise']:.3%} F1 {self.curves[n][i]['f1']:.4f}" for n in names}
            lines.append({"asked": int(point["asked"]), **shown})
        return lines

    def lines(self) -> list[str]:
        """How to read it, and how far the order goes."""
        return [
            "wrong labels among the photos kept, and F1 of the noise removed, after so many questions",
            f"{self.pool} findings could be asked about, {self.band} of them are in the uncertain band",
            *self.reached,
        ]


def review(
    root: Root,
    world: World,
    annotator_error: Annotated[
        list[float], typer.Option(help="Share of wrong answers of annotators; may be repeated.")
    ] = ERRORS,
    seed: Seed = 0,
) -> ReviewCurves:
    """Noise left against questions asked, in the queue's order and in random order, with simulated annotators."""
    if not (world / "truth.tsv").exists():
        raise UserError(f"{world} holds no truth.tsv: give --world the folder of a data set whose truth is known")
    stage = Stage.of(root, latest(root), read_truth(world))
    queue = build_queue(stage.cases, DEFAULT_ANSWER_SECONDS, min_error_probability=0.0)
    ordered = [c for page in queue for c in page.cases]
    band = sum(c.error_probability >= MIN_ERROR_PROBABILITY for c in ordered)
    at = sorted({round(s * len(ordered)) for s in SHARES} | {band})
    curves: dict[str, list[Point]] = {}
    with stage_progress("review", total=len(annotator_error) * (1 + ORDERS), unit="curves") as tick:
        for rate in annotator_error:
            said = stage.answers(rate, seed)
            rng = np.random.default_rng(seed)
            drawn = []
            orders = [list(range(len(ordered))), *(rng.permutation(len(ordered)).tolist() for _ in range(ORDERS))]
            for order in orders:
                drawn.append([stage.point([ordered[i] for i in order[:n]], said) for n in at])
                tick(len(at))
            curves[f"ordered, {rate:.0%} wrong"] = drawn[0]
            curves[f"random, {rate:.0%} wrong"] = [_mean(points) for points in zip(*drawn[1:], strict=True)]
    reached: list[str] = []
    for rate in annotator_error:
        reached += _reached(curves[f"ordered, {rate:.0%} wrong"], curves[f"random, {rate:.0%} wrong"], rate)
    return ReviewCurves({k: [p._asdict() for p in v] for k, v in curves.items()}, band, len(ordered), reached)


def _mean(points: Sequence[Point]) -> Point:
    return Point(points[0].asked, *(float(np.mean(column)) for column in list(zip(*points, strict=True))[1:]))


def _reached(ordered: Sequence[Point], random: Sequence[Point], rate: float) -> list[str]:
    """After how many questions the queue is where the random order is when nearly all are asked."""
    late = next(p for p in random if p.asked >= NEARLY * random[-1].asked)
    return [
        _needed("wrong labels", [(p.asked, p.noise) for p in ordered], late.asked, late.noise, rate),
        _needed("F1", [(p.asked, -p.f1) for p in ordered], late.asked, -late.f1, rate),
    ]


def _needed(what: str, ordered: Sequence[tuple[int, float]], asked: int, goal: float, rate: float) -> str:
    begin, shown = ordered[0][1], f"{goal:.3%}" if goal >= 0 else f"{-goal:.4f}"
    if goal >= begin:
        return f"{what}, answers {rate:.0%} wrong: {asked} questions in random order take it nowhere ({shown})"
    first = next((n for n, value in ordered if value <= goal + 1e-9), None)
    if first is None:
        return f"{what}, answers {rate:.0%} wrong: the queue never reaches {shown}, random order does after {asked}"
    return f"{what}, answers {rate:.0%} wrong: {shown} takes {first} questions in order, {asked} at random"


class Stage(NamedTuple):
    """Everything that a labelling needs, in memory."""

    claims: pa.Table
    persons: pa.Table
    findings: pa.Table
    verdicts: NDArray[np.object_]
    options: RefineOptions
    cases: list[Case]
    truth: Truth
    persons_shown: TruePersons

    @classmethod
    def of(cls, root: str, done: Refinement, truth: Truth) -> "Stage":
        """A refinement's, without what people may have said already."""
        every = find_cases(done)
        found = combine_findings([done.findings.read(), _besides(every)])
        photos = done.photos.read(["face_id", "key", "identity"])
        if missing := set(photos["key"].to_pylist()) - set(truth.keys):
            raise UserError(
                f"the truth says nothing of {len(missing)} photos, {min(missing)} among them: another data set?"
            )
        claims = photos.append_column("cluster", done.clusters.read(["cluster"])["cluster"])
        calibration = read_calibration(root, done.calibration.shards[0])
        verdicts = judge(found, done.thresholds, calibration)
        persons = done.persons.read(PERSON_COLUMNS)
        return cls(claims, persons, found, verdicts, done.options, every, truth, true_persons(done, truth))

    def answers(self, rate: float, seed: int) -> dict[str, list[LedgerRow]]:
        """What two annotators say of every case, and a third where they differ; by case."""
        rng = np.random.default_rng([seed, round(rate * 1e6)])
        said: dict[str, list[LedgerRow]] = {}
        for case in sorted(self.cases, key=lambda c: c.id):
            right = self.persons_shown.answer(case.finding)
            errs = rng.random(3) < rate
            if right is None:
                continue
            given = [right if not e else {"yes": "no", "no": "yes"}[right] for e in errs]
            voices = given[:2] if given[0] == given[1] else given
            said[case.id] = [
                LedgerRow(ref, v, who=f"annotator {i}", purpose="case", answer_id=f"{i}/{ref.finding_id}")
                for i, v in enumerate(voices)
                for ref in case.findings
            ] + machine_views([case], answer_id="policy")
        return said

    def point(self, asked: Sequence[Case], said: Mapping[str, list[LedgerRow]]) -> Point:
        """The score when these cases have been asked."""
        rows = [row for c in asked for row in said.get(c.id, [])]
        settled = settle(table_of(rows)).verdicts
        answers = with_implied_answers(settled, self.findings)
        people = dict(zip(answers["finding_id"].to_pylist(), answers["verdict"].to_pylist(), strict=True))
        ids = self.findings["finding_id"].to_pylist()
        verdicts = np.array([people.get(i, v) for i, v in zip(ids, self.verdicts, strict=True)], object)
        labels = resolve(
            self.claims,
            self.persons,
            self.findings,
            verdicts,
            undecided=self.options.undecided,
            min_faces=self.options.min_faces,
        )
        found = score([labels], self.truth)
        return Point(len(asked), found.noise_after, found.noise.f1, found.clean_lost / max(1, found.clean))


def _besides(every: Sequence[Case]) -> pa.Table:
    """Cases that are no findings of the machine's, as findings."""
    rows = [dict(zip(FINDING_COLUMNS, case.finding[:4], strict=True)) for case in every]
    table = pa.Table.from_pylist(rows, schema=schema.FINDINGS)
    return table.filter(pc.equal(table["kind"], "outlier"))
