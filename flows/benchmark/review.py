"""Noise left and F1 against the number of questions answered, in the order of the review queue and in random order.

Annotators are simulated from the truth: each is wrong at a given rate; two answer every question, and a third where
they differ. Nothing is written to the root.
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
ERRORS = [0.05, 0.1]  # shares of wrong answers of annotators
NEARLY_ALL = 0.85  # of all questions
FINDING_COLUMNS = ("finding_id", "kind", "subject", "object")
ORDERS = 5  # random orders, of which the mean is shown


class Point(NamedTuple):
    """After `asked` questions: wrong labels among the photos kept, F1 of the noise, clean photos lost (shares)."""

    asked: int
    noise: float
    f1: float
    lost: float


@dataclass(frozen=True)
class ReviewCurves(Result):
    """A curve for each error rate of the annotators and each order of the questions.

    pool: findings about which a question can be asked; band: those of them in the uncertain band, which `review send`
    asks about; reached: for each error rate, how many questions each order takes to the same figure.
    """

    curves: dict[str, list[dict[str, float]]]
    band: int
    pool: int
    reached: list[str]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each number of questions, a column for each curve."""
        names = list(self.curves)
        rows = []
        for i, point in enumerate(self.curves[names[0]]):
            figures = {n: f"{self.curves[n][i]['noise']:.3%} F1 {self.curves[n][i]['f1']:.4f}" for n in names}
            rows.append({"asked": int(point["asked"]), **figures})
        return rows

    def lines(self) -> list[str]:
        """What the columns mean, and how many questions each order takes."""
        return [
            "asked: number of questions; then wrong labels among the photos kept, and F1 of the noise removed",
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
    """Measure noise left against questions asked, in the queue's order and in random order, simulating annotators."""
    if not (world / "truth.tsv").exists():
        raise UserError(f"{world} holds no truth.tsv: give --world the folder of a data set whose truth is known")
    simulation = Simulation.of(root, latest(root), read_truth(world))
    queue = build_queue(simulation.cases, DEFAULT_ANSWER_SECONDS, min_error_probability=0.0)
    ordered = [c for page in queue for c in page.cases]
    band = sum(c.error_probability >= MIN_ERROR_PROBABILITY for c in ordered)
    question_counts = sorted({round(s * len(ordered)) for s in SHARES} | {band})
    curves: dict[str, list[Point]] = {}
    with stage_progress("review", total=len(annotator_error) * (1 + ORDERS), unit="curves") as tick:
        for rate in annotator_error:
            answers = simulation.answers(rate, seed)
            rng = np.random.default_rng(seed)
            orders = [list(range(len(ordered))), *(rng.permutation(len(ordered)).tolist() for _ in range(ORDERS))]
            curve_of_order = []
            for order in orders:
                curve_of_order.append(
                    [simulation.point([ordered[i] for i in order[:n]], answers) for n in question_counts]
                )
                tick(len(question_counts))
            curves[f"ordered, {rate:.0%} wrong"] = curve_of_order[0]
            curves[f"random, {rate:.0%} wrong"] = [_mean(points) for points in zip(*curve_of_order[1:], strict=True)]
    reached: list[str] = []
    for rate in annotator_error:
        reached += _reached(curves[f"ordered, {rate:.0%} wrong"], curves[f"random, {rate:.0%} wrong"], rate)
    return ReviewCurves({k: [p._asdict() for p in v] for k, v in curves.items()}, band, len(ordered), reached)


def _mean(points: Sequence[Point]) -> Point:
    """The mean of points with the same number of questions."""
    return Point(points[0].asked, *(float(np.mean(column)) for column in list(zip(*points, strict=True))[1:]))


def _reached(ordered: Sequence[Point], random: Sequence[Point], rate: float) -> list[str]:
    """How many questions the queue takes to the figures that random order has after nearly all questions."""
    late = next(p for p in random if p.asked >= NEARLY_ALL * random[-1].asked)
    return [
        _needed("wrong labels", [(p.asked, p.noise) for p in ordered], late.asked, late.noise, rate),
        _needed("F1", [(p.asked, -p.f1) for p in ordered], late.asked, -late.f1, rate),
    ]


def _needed(what: str, ordered: Sequence[tuple[int, float]], asked: int, goal: float, rate: float) -> str:
    """One figure's line; ordered: questions and figure along the queue, of which less is better (F1 is negated)."""
    begin, shown = ordered[0][1], f"{goal:.3%}" if goal >= 0 else f"{-goal:.4f}"
    if goal >= begin:
        return f"{what}, answers {rate:.0%} wrong: {asked} questions in random order do not improve it ({shown})"
    first = next((n for n, value in ordered if value <= goal + 1e-9), None)
    if first is None:
        return (
            f"{what}, answers {rate:.0%} wrong: the queue never reaches {shown}; random order takes {asked} questions"
        )
    return f"{what}, answers {rate:.0%} wrong: {shown} takes {first} questions in order, {asked} at random"


class Simulation(NamedTuple):
    """A refinement and its truth in memory: all that simulated answers and the labels that follow from them take.

    verdicts [n]: the policy's verdict of each finding; cases: the questions that can be asked.
    """

    claims: pa.Table
    persons: pa.Table
    findings: pa.Table
    verdicts: NDArray[np.object_]
    options: RefineOptions
    cases: list[Case]
    truth: Truth
    persons_shown: TruePersons

    @classmethod
    def of(cls, root: str, refinement: Refinement, truth: Truth) -> "Simulation":
        """The simulation of a refinement, without answers that people may have given already."""
        all_cases = find_cases(refinement)
        findings = combine_findings([refinement.findings.read(), _outlier_findings(all_cases)])
        photos = refinement.photos.read(["face_id", "key", "identity"])
        if missing := set(photos["key"].to_pylist()) - set(truth.keys):
            raise UserError(
                f"the truth says nothing of {len(missing)} photos, {min(missing)} among them: another data set?"
            )
        claims = photos.append_column("cluster", refinement.clusters.read(["cluster"])["cluster"])
        calibration = read_calibration(root, refinement.calibration.shards[0])
        verdicts = judge(findings, refinement.thresholds, calibration)
        persons = refinement.persons.read(PERSON_COLUMNS)
        shown = true_persons(refinement, truth)
        return cls(claims, persons, findings, verdicts, refinement.options, all_cases, truth, shown)

    def answers(self, rate: float, seed: int) -> dict[str, list[LedgerRow]]:
        """The ledger rows of each case by its id: two annotators answer, and a third where they differ.

        rate: the share of wrong answers.
        """
        rng = np.random.default_rng([seed, round(rate * 1e6)])
        rows: dict[str, list[LedgerRow]] = {}
        for case in sorted(self.cases, key=lambda c: c.id):
            right = self.persons_shown.answer(case.finding)
            errs = rng.random(3) < rate
            if right is None:
                continue
            answers = [right if not e else {"yes": "no", "no": "yes"}[right] for e in errs]
            if answers[0] == answers[1]:
                answers = answers[:2]
            rows[case.id] = [
                LedgerRow(ref, answer, who=f"annotator {i}", purpose="case", answer_id=f"{i}/{ref.finding_id}")
                for i, answer in enumerate(answers)
                for ref in case.findings
            ] + machine_views([case], answer_id="policy")
        return rows

    def point(self, asked: Sequence[Case], answers: Mapping[str, list[LedgerRow]]) -> Point:
        """The score of the labels when these cases have been answered; answers: ledger rows by case."""
        rows = [row for c in asked for row in answers.get(c.id, [])]
        settled = settle(table_of(rows)).verdicts
        decided = with_implied_answers(settled, self.findings)
        verdict_of = dict(zip(decided["finding_id"].to_pylist(), decided["verdict"].to_pylist(), strict=True))
        ids = self.findings["finding_id"].to_pylist()
        verdicts = np.array([verdict_of.get(i, v) for i, v in zip(ids, self.verdicts, strict=True)], object)
        labels = resolve(
            self.claims,
            self.persons,
            self.findings,
            verdicts,
            undecided=self.options.undecided,
            min_faces=self.options.min_faces,
        )
        scored = score([labels], self.truth)
        return Point(len(asked), scored.noise_after, scored.noise.f1, scored.clean_lost / max(1, scored.clean))


def _outlier_findings(all_cases: Sequence[Case]) -> pa.Table:
    """The findings of cases about outliers, which the refinement's table of findings may lack."""
    rows = [dict(zip(FINDING_COLUMNS, case.finding[:4], strict=True)) for case in all_cases]
    table = pa.Table.from_pylist(rows, schema=schema.FINDINGS)
    return table.filter(pc.equal(table["kind"], "outlier"))
