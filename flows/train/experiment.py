"""Was the cleaning worth it? The same recipe and seeds on the data before, after, and less the same number at random.

A refined set that is better than the claims might be so for being smaller alone; the random arm answers that. Every
figure comes with what it rests on: the interval over test sets drawn from the people, and over seeds.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.context import FlowRunContext

from flows.cli.options import (
    NONE_GIVEN,
    Aligned,
    Backbone,
    Batch,
    Detector,
    Device,
    Draws,
    LearningRate,
    Loss,
    Recipe,
    Root,
    Seed,
    Seeds,
    Settings,
    Steps,
    TestSets,
)
from flows.cli.result import Result
from flows.evaluate.flow import measure
from flows.evaluate.pair_sets import prepare
from flows.prefect_runtime.task import as_task
from flows.refine.models import load_embedder
from flows.train.plot import Point, plot_arms
from flows.train.run_options import RunOptions, run_of
from flows.train.training_sets import ARMS, arms
from pipeline.errors import UserError
from pipeline.faces.packs import find_model
from pipeline.refinement import latest
from pipeline.schema import digest
from trainer.evaluation.compare import compare, compare_seeds
from trainer.evaluation.verification import Verification
from trainer.run import Run

log = logging.getLogger("refinery")


@dataclass(frozen=True)
class ArmFigure:
    """One figure of one arm on one test set: a value a seed, and its mean with an interval over drawn test sets."""

    test_set: str
    figure: str
    arm: str
    photos: int
    seeds: list[float]
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """How much better the refined data is than another arm: over drawn test sets, and over seeds (if several)."""

    test_set: str
    figure: str
    than: str
    by: float
    drawn: tuple[float, float]
    seeds: tuple[float, float] | None

    @property
    def sure(self) -> bool:
        """Whether every interval there is lies above 0."""
        return self.drawn[0] > 0 and (self.seeds is None or self.seeds[0] > 0)


@dataclass(frozen=True)
class Comparison(Result):
    """A finished experiment."""

    run: dict[str, Any]
    seeds: list[int]
    measured: list[ArmFigure]
    gains: list[Gain]
    folder: str
    models: dict[str, list[str]]  # below the root, by arm, in the order of the seeds

    def rows(self) -> list[dict[str, Any]]:
        """A line for each test set and figure, a column for each arm and for each gain."""
        lines: dict[tuple[str, str], dict[str, Any]] = {}
        for m in self.measured:
            line = lines.setdefault((m.test_set, m.figure), {"test set": m.test_set, "figure": m.figure})
            line[f"{m.arm} ({m.photos})"] = f"{m.mean:.3f} [{m.low:.3f}, {m.high:.3f}]"
        for g in self.gains:
            low, high = g.seeds or g.drawn
            lines[g.test_set, g.figure][f"after less {g.than}"] = f"{g.by:+.3f} [{low:+.3f}, {high:+.3f}]"
        return list(lines.values())

    def lines(self) -> list[str]:
        """How to read the table, and where the rest is."""
        n = len(self.seeds)
        rests = (
            f"of a difference: over {n} seeds (Welch's t)"
            if n > 1
            else "of a difference: over the same drawn test sets"
        )
        return [
            f"before: as claimed; after: refined; random: as many photos as after, left at random; {n} trainings each",
            f"[ ]: 95% interval, of an arm over test sets drawn from the people; {rests}",
            f"everything, with a plot: {self.folder}",
        ]


@flow(name="experiment", validate_parameters=False, persist_result=False)
def experiment(
    root: Root,
    test_set: TestSets = NONE_GIVEN,
    recipe: Recipe = "sample",
    seeds: Seeds = 3,
    detector: Detector = "",
    aligned: Aligned = False,
    device: Device = "",
    draws: Draws = 1000,
    backbone: Backbone = "",
    loss: Loss = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> Comparison:
    """Train the same on the data before, after, and less as many photos at random; compare on test sets."""
    from trainer.train import train  # torch takes seconds to load, and only who trains needs it

    if seeds < 1 or not test_set:
        raise UserError(f"--seeds {seeds} with {len(test_set)} --test-set: give at least one of each")
    run = run_of(recipe, RunOptions(backbone, loss, steps, batch, lr, seed, settings))
    found = find_model(detector, "detector") if detector else ""
    tests = [prepare(root, path, detector=found, aligned=aligned) for path in test_set]
    models: dict[str, list[str]] = {arm: [] for arm in ARMS}
    photos: dict[str, int] = {}
    for seed in range(run.seed, run.seed + seeds):
        for arm, data in as_task(arms)(root, latest(root), seed=seed).items():
            log.info("%s, seed %d: train %s", arm, seed, recipe)
            made = as_task(train)(replace(run, seed=seed), data, _place(root, run, data, seed), device=device)
            models[arm].append(str(made.checkpoint))
            photos[arm] = made.photos
    measured: list[ArmFigure] = []
    gains: list[Gain] = []
    for test in tests:
        done = {arm: [measure(root, load_embedder(m), test, draws=draws) for m in made] for arm, made in models.items()}
        measured += _measured(test.name, done, photos)
        gains += _gains(test.name, done)
    folder = Path(root).absolute() / "experiments" / digest(*(m for made in models.values() for m in made), *test_set)
    below = {arm: [str(Path(m).relative_to(Path(root).absolute())) for m in made] for arm, made in models.items()}
    compared = Comparison(asdict(run), list(range(run.seed, run.seed + seeds)), measured, gains, str(folder), below)
    _write(compared, folder, sorted({f"{t.faces.name}/{t.faces.address}" for t in tests}))
    return compared


def _place(root: str, run: Run, data: Path, seed: int) -> Path:
    """The folder of one training, named by what it is trained on and how."""
    return Path(root).absolute() / "trainings" / digest(data.stem, str(asdict(replace(run, seed=seed))))


def _measured(test: str, done: Mapping[str, Sequence[Verification]], photos: Mapping[str, int]) -> list[ArmFigure]:
    found = []
    for arm, verified in done.items():
        for figure in verified[0].figures:
            each = [v.figures[figure] for v in verified]
            drawn = np.nanmean([v.draws[figure] for v in verified], axis=0)
            low, high = np.nanquantile(drawn, [0.025, 0.975]).tolist()
            found.append(ArmFigure(test, figure, arm, photos[arm], each, float(np.mean(each)), low, high))
    return found


def _gains(test: str, done: Mapping[str, Sequence[Verification]]) -> list[Gain]:
    """Of the refined data over each other arm, figure by figure; the same draws on both sides."""
    found = []
    for than in (arm for arm in ARMS if arm != "after"):
        pairs = list(zip(done["after"], done[than], strict=True))
        for figure in (f for f in done["after"][0].figures if f != "EER"):  # of which less is better
            drawn = np.nanmean([a.draws[figure] - b.draws[figure] for a, b in pairs], axis=0)
            low, high = np.nanquantile(drawn, [0.025, 0.975]).tolist()
            by = float(np.mean([compare(a, b)[figure].value for a, b in pairs]))
            spread = None
            if len(pairs) > 1:
                over = compare_seeds([a.figures[figure] for a, _ in pairs], [b.figures[figure] for _, b in pairs])
                spread = (over.low, over.high)
            found.append(Gain(test, figure, than, by, (low, high), spread))
    return found


def _write(compared: Comparison, folder: Path, tables: list[str]) -> None:
    """The comparison as JSON and as a picture, and as a table on the run's page; tables: what it rests on."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {k: v for k, v in asdict(compared).items() if k != "folder"} | {
        "tables": tables
    }  # so that it says the same wherever it lies
    (folder / "comparison.json").write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    points = [Point(m.test_set, m.figure, m.arm, m.seeds, m.mean, m.low, m.high) for m in compared.measured]
    plot_arms(points, folder / "comparison.png")
    if FlowRunContext.get() is not None:
        create_table_artifact(compared.rows(), key="comparison", description="Before, after and a random removal")
