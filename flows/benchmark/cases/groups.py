"""`refinery benchmark groups`: thresholds of the whole population beside thresholds by group, on drawn populations.

In one group the impostor cosines are higher than in the others (sample/cases/grouped_population.py). Each population is
refined twice, and its truth says how many clean photos are lost and how much noise is kept in each group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from scipy.special import stdtrit

from flows.benchmark.drawn.population import population_tables, truth_of
from flows.cli.options import Seed
from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.noise.groups.group_summary import EffectRow, effect_rows, group_bases
from pipeline.noise.stages import find_noise
from pipeline.progress import stage_progress
from pipeline.refined.labels import label
from pipeline.refined.scoring.known_truth import WRONG_LABEL
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.sample.cases.grouped_population import CLOSER, PHOTO_SPREAD, DrawnGroup, draw_population

OTHERS = (DrawnGroup("first", 300), DrawnGroup("second", 300))
CLOSE = "close"
WHOLE, BY_GROUP = "whole population", "by group"


class Shares(NamedTuple):
    """The share of the clean photos that is lost, and that of the noise that is kept."""

    lost: float
    kept: float


@dataclass(frozen=True)
class GroupComparison(Result):
    """The shares of each group by both calibrations, and the gaps between the groups, over all populations."""

    shares: list[dict[str, Any]]
    weight: float  # mean weight of the close group's own pairs
    expected: list[str]  # lines: what the probabilities say of the close group, beside what is true

    def rows(self) -> list[dict[str, Any]]:
        """One row for each group and calibration, then the gaps."""
        return self.shares

    def lines(self) -> list[str]:
        """What the columns mean."""
        return [
            "lost: clean photos removed or relabelled; kept: wrong labels that stay",
            "in brackets: 95% interval of the mean over populations (Student's t)",
            "gap: share of the close group less that of the others",
            f"the thresholds of the close group are its own by {self.weight:.0%}, the rest is the population's",
            *self.expected,
        ]


def groups(
    *,
    populations: Annotated[int, typer.Option(min=2, help="Populations to draw, each with a seed of its own.")] = 10,
    close_identities: Annotated[
        int, typer.Option(min=2, help="Identities of the close group, beside 600 of two others.")
    ] = 60,
    closer: Annotated[float, typer.Option(help="By how much impostor cosines of the close group are higher.")] = CLOSER,
    photo_spread: Annotated[
        float, typer.Option(help="How much photos of a person differ in noise: deviation of its logarithm.")
    ] = PHOTO_SPREAD,
    seed: Seed = 0,
) -> GroupComparison:
    """Refine drawn populations in which one group's faces lie closer together, with whole and with group thresholds."""
    if not 0 <= closer < 1 or photo_spread < 0:
        raise UserError(f"--closer {closer:g} --photo-spread {photo_spread:g}: give 0 to below 1, and 0 or more")
    drawn_groups = [*OTHERS, DrawnGroup(CLOSE, close_identities, closer)]
    measured, weights, effects = [], [], []
    with stage_progress("groups", total=populations, unit="populations") as tick:
        for number in range(populations):
            shares, weight, expected = _refined_twice(drawn_groups, seed + number, photo_spread)
            measured.append(shares)
            weights.append(weight)
            effects.append(expected)
            tick(1)
    return GroupComparison(_rows(measured), float(np.mean(weights)), _expected(measured, effects))


By = Mapping[tuple[str, str], Shares]  # by group (CLOSE or "others") and calibration


def _refined_twice(drawn: Sequence[DrawnGroup], seed: int, photo_spread: float) -> tuple[By, float, EffectRow | None]:
    """The shares of a population, the weight of the close group, and its expected figures if they could be fitted."""
    population = draw_population(drawn, seed=seed, photo_spread=photo_spread)
    truth, group = truth_of(population), np.array([population.groups[name] for name in population.identity])
    shares: dict[tuple[str, str], Shares] = {}
    with TemporaryDirectory(prefix="groups-") as root:
        tables = population_tables(root, population)
        for by, grouping in ((WHOLE, None), (BY_GROUP, tables.groups)):
            noise = find_noise(root, tables.faces, [tables.embeddings], groups=grouping)
            labels = label(root, tables.photos, noise, undecided="keep", min_faces=2).labels
            photos = ScoredPhotos(labels.read(["identity", "reason"]), truth)
            clean, wrong = photos.of("clean"), photos.of(*WRONG_LABEL)
            lost, kept = (photos.removed_as_noise | photos.relabelled) & clean, ~photos.stopped() & wrong
            for name, rows in ((CLOSE, group == CLOSE), ("others", group != CLOSE)):
                parts = (lost, clean), (kept, wrong)
                shares[name, by] = Shares(*(float((a & rows).sum() / max(1, (b & rows).sum())) for a, b in parts))
        assert noise.group_calibration is not None  # noqa: S101  the last run was by group
        assert noise.group_effects is not None  # noqa: S101
        weight = next(b.weight for b in group_bases(noise.group_calibration) if b.group == CLOSE)
        expected = [row for row in effect_rows(noise.group_effects) if row.group == CLOSE]
    return shares, weight, expected[0] if expected else None


def _rows(measured: Sequence[By]) -> list[dict[str, Any]]:
    """The table: shares of each group by each calibration, and the gaps."""
    rows = []
    for name in (CLOSE, "others", "gap"):
        for by in (WHOLE, BY_GROUP):
            values = [_of(shares, name, by) for shares in measured]
            lost, kept = (_interval([v[i] for v in values]) for i in range(2))
            rows.append({"group": name, "thresholds of": by, "clean photos lost": lost, "noise kept": kept})
    return rows


def _of(shares: By, name: str, by: str) -> Shares:
    if name != "gap":
        return shares[name, by]
    return Shares(*(a - b for a, b in zip(shares[CLOSE, by], shares["others", by], strict=True)))


def _interval(values: Sequence[float]) -> str:
    """Mean and 95% interval of the mean, in per cent."""
    n, mean = len(values), float(np.mean(values))
    half = float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n))
    return f"{mean:.2%} [{mean - half:.2%}, {mean + half:.2%}]"


def _expected(measured: Sequence[By], effects: Sequence[EffectRow | None]) -> list[str]:
    """What the report would estimate without the truth, beside the truth, in photos of the close group."""
    known = [row for row in effects if row is not None]
    if not known:
        return ["no probabilities could be fitted: a fixed FAR decided"]
    whole, own = (float(np.mean([row[i] for row in known])) for i in (4, 5))
    lost_whole, lost_own = (float(np.mean([row[i] for row in known])) for i in (2, 3))
    return [
        f"probabilities could be fitted in {len(known)} of {len(measured)} populations; there the report estimates",
        f"for the close group, photos a population: noise left {whole:.1f} ({WHOLE}) and {own:.1f} ({BY_GROUP}),",
        f"clean photos lost {lost_whole:.1f} and {lost_own:.1f}",
    ]
