"""Ways to clean without a pretrained model, beside the pipeline with one, on a drawn world whose truth is known.

Self-training: the pipeline with models that are trained on the noisy photos themselves. Sub-centres: one training on
the labels as claimed with three centres a class; then photos far from the dominant centre of their class are dropped.
All ways get the same faces.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from flows.cli.options import (
    NONE_GIVEN,
    Backbone,
    Batch,
    Device,
    LearningRate,
    Loss,
    Recipe,
    Root,
    Rounds,
    Seed,
    Settings,
    Steps,
    World,
)
from flows.cli.result import Result
from flows.refine.flow import refine
from flows.train.run_options import RunOptions, run_of
from flows.train.self_training import self_train
from flows.train.training_sets import build_training_set
from pipeline import schema
from pipeline.refined.comparison_sets import as_claimed
from pipeline.refined.scoring.known_truth import Truth, read_truth
from pipeline.refined.scoring.score import Score, score
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.schema import digest
from pipeline.tables.table import Table
from trainer.run import Run, folder_text

if TYPE_CHECKING:
    from trainer.subcenters import PhotoAngles

PAPER_DEGREES = 75.0  # from the dominant centre: the limit of the sub-centre ArcFace paper (Deng et al., ECCV 2020)
Label = Mapping[str, Any]


@dataclass(frozen=True)
class CleaningComparison(Result):
    """The score of each way of cleaning, and the training."""

    ways: list[dict[str, Any]]
    recipe: str

    def rows(self) -> list[dict[str, Any]]:
        """One row for each way of cleaning."""
        return self.ways

    def lines(self) -> list[str]:
        """What was trained, and what the columns mean."""
        return [
            f"trained on the noisy photos: {self.recipe}",
            "precision, recall, F1: of photos with a wrong label",
            "wrong: share of kept photos with a wrong label; lost: share of clean photos removed",
        ]


def cleaning(
    root: Root,
    world: World,
    *,
    recipe: Recipe = "sample",
    rounds: Rounds = 2,
    device: Device = "",
    backbone: Backbone = "",
    loss: Loss = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> CleaningComparison:
    """Clean a drawn world with the shipped model, with models trained on its noise, and by sub-centres; score each."""
    run, truth = run_of(recipe, RunOptions(backbone, loss, steps, batch, lr, seed, settings)), read_truth(world)
    source = ["image-folder", str(world / "photos")]
    ways: dict[str, list[Label]] = {}
    for sub_centres in (False, True):
        trained = self_train.fn(
            root,
            source,
            str(DETECTOR),
            recipe=recipe,
            rounds=rounds,
            stop_share=0.0,
            sub_centres=sub_centres,
            device=device,
            backbone=backbone,
            loss=loss,
            steps=steps,
            batch=batch,
            lr=lr,
            seed=seed,
            settings=settings,
        )
        first = ", round 0 with sub-centres" if sub_centres else ""
        ways[f"self-training, {len(trained.rounds)} rounds{first}"] = _labels(latest(root).labels)
    refine.fn(root, source, str(DETECTOR), str(EMBEDDER))
    refinement = latest(root)
    claims = as_claimed(root, refinement.photos, refinement.faces)
    claimed, angles = _labels(claims), _sub_centre_angles(root, run, claims, refinement.faces, device)
    best = max(range(5, 180, 5), key=lambda degrees: _score(_dropped(claimed, angles, degrees), truth).noise.f1)
    ways |= {
        f"sub-centres, {PAPER_DEGREES:g} degrees": _dropped(claimed, angles, PAPER_DEGREES),
        f"sub-centres, {best} degrees (best, chosen by the truth)": _dropped(claimed, angles, best),
    }
    ways = {"no cleaning": claimed, "the pipeline, shipped model": _labels(refinement.labels)} | ways
    return CleaningComparison([_line(way, rows, truth) for way, rows in ways.items()], f"{recipe}, {run.steps} updates")


def _sub_centre_angles(root: str, run: Run, claims: Table, faces: Table, device: str) -> "PhotoAngles":
    """Train with sub-centres on the claims, and return each photo's angle to the dominant centre of its class."""
    from trainer.losses.names import with_subcentres  # torch takes seconds to load
    from trainer.subcenters import angles_to_centres
    from trainer.train import train

    run, data = replace(run, loss=with_subcentres(run.loss)), build_training_set(root, claims, faces)
    out = Path(root).absolute() / "bootstrap" / digest(data.stem, folder_text(run))
    return angles_to_centres(train(run, data, out, device=device).checkpoint, data)


def _dropped(labels: Iterable[Label], angles: "PhotoAngles", max_degrees: float) -> list[Label]:
    """The labels, with photos removed as outliers that are further from the dominant centre of their class."""
    dropped = {key for key, kept in zip(angles.keys, angles.angles.within(max_degrees), strict=True) if not kept}
    return [{**r, "identity": None, "reason": "outlier"} if r["key"] in dropped else r for r in labels]


def _line(way: str, labels: list[Label], truth: Truth) -> dict[str, Any]:
    scored = _score(labels, truth)
    return {
        "cleaned by": way,
        "kept": scored.kept,
        "F1": f"{scored.noise.f1:.3f}",
        "precision": f"{scored.noise.precision or 0:.3f}",
        "recall": f"{scored.noise.recall or 0:.3f}",
        "wrong": f"{scored.noise_after:.1%}",
        "lost": f"{scored.clean_lost / max(1, scored.clean):.1%}",
    }


def _score(labels: list[Label], truth: Truth) -> Score:
    return score([pa.Table.from_pylist(labels, schema=schema.LABELS)], truth)


def _labels(table: Table) -> list[Label]:
    return list(table.read(["key", "identity", "reason"]).to_pylist())
