"""`refinery train`: trains a recipe on a data set; every field of the training can be set by an option."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import (
    NONE_GIVEN,
    Backbone,
    Batch,
    Detector,
    Device,
    LearningRate,
    Loss,
    Norm,
    Recipe,
    Seed,
    Settings,
    Steps,
    TestSets,
    Threads,
)
from flows.cli.result import Result
from flows.evaluate.pair_sets import prepare_pairs
from flows.train.run_options import FieldsTable, RunOptions, run_of
from flows.train.start_options import Freeze, Init, LayerLearningRate, NewClassifier, start_of
from pipeline.errors import UserError
from pipeline.faces.packs import find_model

if TYPE_CHECKING:
    from trainer.train import TrainingResult


@dataclass(frozen=True)
class TrainedModel(Result):
    """A trained model: its files, the size of its training, and its figures by test set (tests)."""

    model: str
    checkpoint: str
    photos: int
    classes: int
    steps: int
    loss: float | None
    tests: dict[str, dict[str, float]]

    @classmethod
    def of(cls, result: "TrainingResult") -> "TrainedModel":
        """A training's result as plain values."""
        model, checkpoint = str(result.onnx), str(result.checkpoint)
        return cls(model, checkpoint, result.photos, result.classes, result.steps, result.loss, result.tests)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each test set, with its figures."""
        return [
            {"test set": name, **{k: f"{v:.4f}" for k, v in figures.items()}} for name, figures in self.tests.items()
        ]

    def lines(self) -> list[str]:
        """The size of the training, and what to run next."""
        loss = "" if self.loss is None else f", last loss {self.loss:.3f}"  # the log that had it may be lost
        model = quote(self.model)
        trained = f"{self.photos} photos of {self.classes} people, {self.steps} updates{loss}"
        return [
            trained,
            f"next: refinery evaluate {model} --test-set TEST_SET",
            f"      refinery refine ROOT image-folder PHOTOS --detector DETECTOR --embedder {model}",
        ]


Teacher = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        help="Learn from this network as well (knowledge distillation): a checkpoint of `refinery train`, an ONNX file "
        "(computed on the CPU), or another file of --init.",
    ),
]
Distill = Annotated[
    str,
    typer.Option(
        help="With --teacher: cosine (the default) or feature, the distance to the teacher's embeddings or to its "
        "features with their norms; with a weight: cosine:weight=5."
    ),
]


def train_recipe(
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA", help="A folder that `refinery export` wrote, or a .rec.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write to.")] = None,
    *,
    recipe: Recipe = "sample",
    test_set: TestSets = NONE_GIVEN,
    detector: Detector = "",
    device: Device = "",
    threads: Threads = 2,
    init: Init = "",
    freeze: Freeze = False,
    layer_lr: LayerLearningRate = 1.0,
    new_classifier: NewClassifier = False,
    teacher: Teacher = "",
    distill: Distill = "",
    log_every: Annotated[int, typer.Option(help="Updates between two lines of the log.")] = 50,
    checkpoint_every: Annotated[int, typer.Option(help="Updates between two checkpoints.")] = 1000,
    fields: Annotated[
        bool, typer.Option("--fields", help="List all fields of a training with the recipe's values, and end.")
    ] = False,
    backbone: Backbone = "",
    loss: Loss = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    norm: Norm = "",
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> TrainedModel | FieldsTable:
    """Train a recipe on a refined data set. The same command goes on with a stopped training, or with more --steps.

    Test sets are measured at each checkpoint. On several GPUs:
    torchrun --nproc-per-node 8 --no-python refinery train ...
    """
    settings = [*settings, *([f"norm={norm}"] if norm else [])]
    run = run_of(recipe, RunOptions(backbone, loss, steps, batch, lr, seed, settings))
    if fields:
        return FieldsTable(recipe, run)
    if data is None or out is None:
        raise UserError("give DATA, a folder that `refinery export` wrote, and --out, a folder for the model")
    from trainer.pretrained.teacher import Teaching  # torch takes seconds to load
    from trainer.train import train

    start = start_of(init, freeze=freeze, layer_lr=layer_lr, new_classifier=new_classifier)
    result = train(
        run,
        data,
        out,
        test_sets=_prepared_pairs(out, test_set, detector),
        device=device,
        threads=threads,
        log_every=log_every,
        checkpoint_every=checkpoint_every,
        start=start,
        teaching=Teaching(teacher, distill),
    )
    return TrainedModel.of(result)


def _prepared_pairs(out: Path, test_set: Sequence[str], detector: str) -> dict[str, Path]:
    """The folder of each test set's pairs below the training's, by the name of the test set."""
    detector_file = find_model(detector, "detector") if detector else ""
    pairs = {path: prepare_pairs(str(out / "tests"), path, detector=detector_file) for path in test_set}
    return {Path(path).stem: prepared.folder for path, prepared in pairs.items()}
