"""Refining without a pretrained model: train on the noisy data, refine with that model, train again on what stayed.

Round 0 learns from the claims as they are; a network learns what most photos of a name have in common before it learns
the exceptions by heart, so its model tells a good part of the noise already. Every round after it refines with the
model of the round before, and the rounds end when few photos change their fate any more.
"""

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from prefect import flow

from flows.cli.options import (
    NONE_GIVEN,
    Aligned,
    Backbone,
    Batch,
    DaskWorkers,
    Detector,
    Device,
    FirstShare,
    LearningRate,
    Loss,
    MinFaces,
    Recipe,
    Root,
    Seed,
    Settings,
    Sources,
    Steps,
    TestSets,
)
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from flows.prefect_runtime.task import as_task
from flows.refine.flow import refine
from flows.refine.results import RefineResult
from flows.refine.source_pairs import parse_sources
from flows.refine.tables import build_faces, build_photos
from flows.train.run_options import RunOptions, run_of
from flows.train.training_sets import manifest
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.refined.comparison_sets import as_claimed
from pipeline.refinement import latest
from pipeline.root_lock import root_lock
from pipeline.schema import digest
from pipeline.tables.table import Table
from trainer.run import Run

log = logging.getLogger("refinery")
FIRST_SHARE = 1 / 3  # on the drawn world, F1 .76 with it and .23 without (results/bootstrap.md)


@dataclass(frozen=True)
class SelfTrainingRound:
    """One round: the photos that its refinement kept, and how many have another label than in the round before."""

    round: int
    trained_on: int
    kept: int
    changed: int
    share: float
    model: str


@dataclass(frozen=True)
class SelfTrainingResult(Result):
    """The rounds of a finished self-training, and the last refinement."""

    rounds: list[SelfTrainingRound]
    outcome: RefineResult

    def rows(self) -> list[dict[str, Any]]:
        """A line a round."""
        return [asdict(r) | {"share": f"{r.share:.1%}"} for r in self.rounds]

    def lines(self) -> list[str]:
        """What the last refinement says."""
        return [f"the last model: {self.rounds[-1].model}", *self.outcome.lines()]


@flow(name="self-train", validate_parameters=False, persist_result=False)
def self_train(
    root: Root,
    source: Sources,
    detector: Detector,
    recipe: Recipe = "sample",
    rounds: Annotated[int, typer.Option(help="Refinements at most.")] = 3,
    first_share: FirstShare = FIRST_SHARE,
    stop_share: Annotated[
        float, typer.Option(help="Share of the photos with a new label below which no further round begins.")
    ] = 0.01,
    sub_centres: Annotated[
        bool, typer.Option("--sub-centres", help="Round 0 with three centres a class (sub-centre ArcFace).")
    ] = False,
    test_set: TestSets = NONE_GIVEN,
    aligned: Aligned = False,
    min_faces: MinFaces = 2,
    device: Device = "",
    workers: DaskWorkers = "",
    backbone: Backbone = "",
    loss: Loss = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> SelfTrainingResult:
    """Refine without a pretrained embedder: train on the noisy labels, refine with that model, train again."""
    if rounds < 1:
        raise UserError(f"--rounds {rounds}: give 1 or more")
    if not 0 < first_share <= 1:
        raise UserError(f"--first-share {first_share}: give more than 0, at most 1")
    run = run_of(recipe, RunOptions(backbone, loss, steps, batch, lr, seed, settings))
    first_run = replace(run, steps=max(1, round(run.steps * first_share)))
    if sub_centres:
        first_run = replace(first_run, loss=_with_centres(run.loss))
    pool, finder = parse_workers(workers), OnnxDetector(find_model(detector, "detector"))
    finished: list[SelfTrainingRound] = []
    with root_lock(root):
        photos, where = build_photos(root, parse_sources(source), workers=pool)
        faces = build_faces(root, photos, where, finder, aligned=aligned, workers=pool)
        labels = as_claimed(root, photos, faces, workers=pool)
        for number in range(rounds):
            model = _model(root, run if number else first_run, labels, faces, device)
            outcome = refine.fn(
                root, source, detector, model, test_set=test_set, aligned=aligned, min_faces=min_faces, workers=workers
            )
            finished.append(_finished(number, labels, latest(root).labels, model))
            labels = latest(root).labels
            if finished[-1].share < stop_share:
                break
    return SelfTrainingResult(finished, outcome)


def _finished(number: int, before: Table, after: Table, model: str) -> SelfTrainingRound:
    """A round whose refinement is done: labels before are those its model learnt from."""
    changed = _changed(before, after)
    share = changed / max(1, len(after))
    log.info("round %d: %d of %d photos have another label (%.1f%%)", number, changed, len(after), 100 * share)
    return SelfTrainingRound(number, _kept(before), _kept(after), changed, share, model)


def _model(root: str, run: Run, labels: Table, faces: Table, device: str) -> str:
    """The ONNX model that a run makes of some labels: trained now, or found."""
    from trainer.train import train  # torch takes seconds to load, and only who trains needs it

    kept = _kept(labels)
    if not kept:
        raise UserError("no photo is left to learn from: give more --steps, or a larger --first-share")
    log.info("train on %d photos, then refine", kept)
    data = manifest(root, labels, faces)
    out = Path(root).absolute() / "bootstrap" / digest(data.stem, str(asdict(run)))
    made = as_task(train)(run, data, out, device=device)
    return str(made.onnx)


def _with_centres(loss: str) -> str:
    from trainer.losses.names import with_subcentres  # torch takes seconds to load

    return with_subcentres(loss)


def _kept(labels: Table) -> int:
    return sum(len(rows) - rows["identity"].null_count for rows in labels.batches(["identity"]))


def _changed(before: Table, after: Table) -> int:
    """Photos whose identity, or having one, is another than before."""
    pairs = zip(before.batches(["identity"]), after.batches(["identity"]), strict=True)
    return sum(
        a != b
        for old, new in pairs
        for a, b in zip(old["identity"].to_pylist(), new["identity"].to_pylist(), strict=True)
    )
