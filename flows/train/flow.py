"""`refinery train`: trains a recipe on a data set; every field of the training can be set by an option."""

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import (
    NONE_GIVEN,
    Aligned,
    Backbone,
    Batch,
    Detector,
    Device,
    Draws,
    Far,
    Groups,
    LearningRate,
    Licence,
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
from flows.evaluate.by_group.person_groups import PersonGroups
from flows.evaluate.measure_options import MeasureOptions
from flows.train.release.train_and_publish import LoopOptions, train_and_publish
from flows.train.run_options import FieldsTable, RunOptions, run_of
from flows.train.start_options import Freeze, Init, LayerLearningRate, NewClassifier, start_of
from pipeline.errors import UserError
from pipeline.faces.packs import find_model
from pipeline.refined.formats.hub_card import check_licence

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
    release: str = ""  # the folder to publish

    @classmethod
    def of(cls, result: "TrainingResult", release: str) -> "TrainedModel":
        """A training's result as plain values."""
        model, checkpoint = str(result.onnx), str(result.checkpoint)
        return cls(model, checkpoint, result.photos, result.classes, result.steps, result.loss, result.tests, release)

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
        card = [f"to publish, with its model card: {quote(self.release)}"] if self.release else []
        return [
            trained,
            *card,
            f"next: refinery evaluate {model} --test-set TEST_SET",
            f"      refinery refine ROOT image-folder PHOTOS --detector DETECTOR --embedder {model}",
        ]


Teacher = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        help="Learn from this network as well (knowledge distillation): a checkpoint or model.safetensors of "
        "`refinery train`, an ONNX file (computed on one thread of the CPU), or another file of --init.",
    ),
]
Distill = Annotated[
    str,
    typer.Option(
        help="With --teacher: cosine (the default) or feature, the distance to the teacher's embeddings or to its "
        "features with their norms; with a weight: cosine:weight=5."
    ),
]
LogEvery = Annotated[int, typer.Option(help="Updates between two lines of the log.")]
CheckpointEvery = Annotated[int, typer.Option(help="Updates between two checkpoints.")]
Track = Annotated[
    list[str],
    typer.Option(
        help="Send the numbers of the log to a tracker as well: mlflow or wandb (both may be given); TensorBoard files "
        "are always written."
    ),
]
Fields = Annotated[
    bool, typer.Option("--fields", help="List all fields of a training with the recipe's values, and end.")
]
Data = Annotated[Path | None, typer.Argument(metavar="DATA", help="A folder that `refinery export` wrote, or a .rec.")]
Out = Annotated[Path | None, typer.Option("--out", help="The folder to write to.")]


def train_recipe(
    data: Data = None,
    out: Out = None,
    *,
    recipe: Recipe = "sample",
    test_set: TestSets = NONE_GIVEN,
    detector: Detector = "",
    aligned: Aligned = False,
    device: Device = "",
    threads: Threads = 2,
    init: Init = "",
    freeze: Freeze = False,
    layer_lr: LayerLearningRate = 1.0,
    new_classifier: NewClassifier = False,
    teacher: Teacher = "",
    distill: Distill = "",
    log_every: LogEvery = 50,
    checkpoint_every: CheckpointEvery = 1000,
    track: Track = NONE_GIVEN,
    groups: Groups = "",
    far: Far = 1e-4,
    draws: Draws = 1000,
    licence: Licence = "",
    fields: Fields = False,
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

    Test sets are measured at each checkpoint. At the end OUT/release holds the model with its card, to publish. On
    several GPUs: torchrun --nproc-per-node 8 --no-python refinery train ...
    """
    settings = [*settings, *([f"norm={norm}"] if norm else [])]
    run = run_of(recipe, RunOptions(backbone, loss, steps, batch, lr, seed, settings))
    if fields:
        return FieldsTable(recipe, run)
    data, out = _both(data, out)
    from trainer.pretrained.teacher import Teaching  # torch takes seconds to load

    detector = find_model(detector, "detector") if detector else ""
    check_licence(licence)
    result = train_and_publish(
        run,
        data,
        out,
        recipe=recipe,
        start=start_of(init, freeze=freeze, layer_lr=layer_lr, new_classifier=new_classifier),
        teaching=Teaching(teacher, distill),
        loop=LoopOptions(device, threads, log_every, checkpoint_every, track),
        test_sets=test_set,
        options=MeasureOptions(detector, aligned, draws=draws, groups=PersonGroups.read(groups), far=far),
        licence=licence,
    )
    return TrainedModel.of(result.trained, result.release)


def _both(data: Path | None, out: Path | None) -> tuple[Path, Path]:
    """The data and the folder to write to. Raises UserError where one is not given."""
    if data is None or out is None:
        raise UserError("give DATA, a folder that `refinery export` wrote, and --out, a folder for the model")
    return data, out
