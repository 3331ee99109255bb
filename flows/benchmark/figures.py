"""The ArcFace paper's Table 3 and Figures 3, 4, 6, 7 and 8 in kind, for models trained on one refinement."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flows.benchmark.paper.charts import pair_angles_chart, recognition_charts, target_logits_chart, toy_chart
from flows.benchmark.paper.labelled_faces import (
    LabelledFaces,
    Rows,
    classifier_weights,
    embed_jpegs,
    read_test_faces,
    read_training_faces,
    train_toy,
)
from flows.benchmark.training import train_once
from flows.cli.options import (
    NONE_GIVEN,
    Backbone,
    Batch,
    Detector,
    Device,
    LearningRate,
    OutFolder,
    Recipe,
    Root,
    Seed,
    Settings,
    Steps,
    TestSets,
)
from flows.cli.result import Result
from flows.evaluate.pair_sets import one_test_set, prepare_pairs
from flows.refine.models import load_embedder
from flows.train.run_options import RunOptions, run_of
from flows.train.training_sets import build_training_set
from pipeline.faces.packs import find_model
from pipeline.refinement import latest
from pipeline.report.charts.drawing import Chart, write_charts
from trainer.evaluation.angles import Angles, mean_angles
from trainer.run import Run

TABLE = ("norm_softmax", "arcface", "norm_softmax+intra", "norm_softmax+inter", "triplet")  # Table 3's rows
TOY_LOSSES = ("norm_softmax", "arcface")
TOY_PEOPLE, TOY_STEPS = 8, 300


@dataclass(frozen=True)
class PaperFigures(Result):
    """The angles of Table 3, and the files of the charts."""

    table: list[dict[str, Any]]
    files: list[str]
    trained_on: str

    def rows(self) -> list[dict[str, Any]]:
        """One row for each loss."""
        return self.table

    def lines(self) -> list[str]:
        """What the columns mean, the training, and the files."""
        return [
            "mean angles in degrees; 1: training, 2: test set",
            "W-EC: a class's weight to the centre of its faces; W-Inter: to the nearest other weight",
            "Intra: a face to its centre; Inter: a centre to the nearest other",
            self.trained_on,
            *self.files,
        ]


def figures(
    root: Root,
    out: OutFolder,
    test_set: TestSets = NONE_GIVEN,
    *,
    recipe: Recipe = "sample",
    detector: Detector = "",
    device: Device = "",
    backbone: Backbone = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> PaperFigures:
    """Draw the ArcFace paper's figures 3, 4, 6, 7 and 8 and its table 3 for models trained on refined data."""
    run = run_of(recipe, RunOptions(backbone, "", steps, batch, lr, seed, settings))
    refinement = latest(root)
    data = build_training_set(root, refinement.labels, refinement.faces)
    test = prepare_pairs(root, one_test_set(test_set), detector=find_model(detector, "detector") if detector else "")
    training_faces, test_faces = read_training_faces(data), read_test_faces(test.folder)
    table: list[dict[str, Any]] = []
    embeddings: dict[str, Rows] = {}  # of the test set's faces, by loss
    for name in TABLE:
        model = train_once(root, replace(run, loss=name), data, device)
        embedder, weights = load_embedder(str(model.checkpoint)), classifier_weights(model.checkpoint)
        embeddings[name] = embed_jpegs(embedder, test_faces.jpegs)
        training_angles = mean_angles(embed_jpegs(embedder, training_faces.jpegs), training_faces.label, weights)
        table.append(_row(name, training_angles, mean_angles(embeddings[name], test_faces.label)))
    drawn = _charts(root, run, training_faces, embeddings, test_faces, device=device)
    write_charts(drawn, out)
    trained = f"{recipe}, {run.steps} updates of {run.batch}, seed {run.seed}"
    sizes = f"{len(training_faces.label)} photos of {training_faces.people} people"
    tested = f"tested on {len(test_faces.label)} of {test_faces.people}"
    files = [f"{chart.title}: {out / chart.name}.png" for chart in drawn]
    return PaperFigures(table, files, f"{trained}; {sizes}, {tested}")


def _charts(
    root: str,
    run: Run,
    training_faces: LabelledFaces,
    embeddings: dict[str, Rows],
    test_faces: LabelledFaces,
    *,
    device: str,
) -> list[Chart]:
    """The paper's figures in their order."""
    toys = {
        loss: train_toy(root, replace(run, loss=loss, steps=TOY_STEPS), training_faces, device, people=TOY_PEOPLE)
        for loss in TOY_LOSSES
    }
    label = test_faces.label
    return [
        *(toy_chart(loss, toy) for loss, toy in toys.items()),
        target_logits_chart(),
        pair_angles_chart("figure_6", "Angles of genuine and impostor pairs", embeddings, label, TABLE[:2]),
        pair_angles_chart("figure_7", "The same with a triplet loss", embeddings, label, ("triplet", "arcface")),
        *recognition_charts(embeddings, label),
    ]


def _row(loss: str, training: Angles, test: Angles) -> dict[str, Any]:
    """A row of Table 3, in degrees; empty where the loss has no class weights."""
    degrees = {
        "W-EC": training.w_ec,
        "W-Inter": training.w_inter,
        "Intra1": training.intra,
        "Inter1": training.inter,
        "Intra2": test.intra,
        "Inter2": test.inter,
    }
    return {"loss": loss, **{k: "" if np.isnan(v) else f"{v:.2f}" for k, v in degrees.items()}}
