"""Train a recipe on a data set from the command line; every field of a run is an option."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.result import Result
from flows.cli.run_options import with_fields
from flows.evaluate.flow import prepare
from pipeline.faces.packs import find_model
from trainer.recipes import RECIPES
from trainer.recipes import recipe as named
from trainer.run import override

if TYPE_CHECKING:
    from trainer.train import TrainingResult


@dataclass(frozen=True)
class Made(Result):
    """A finished training, for people."""

    model: str
    checkpoint: str
    photos: int
    classes: int
    steps: int
    loss: float
    tests: dict[str, dict[str, float]]

    def rows(self) -> list[dict[str, Any]]:
        """The figures of the test sets."""
        return [
            {"test set": name, **{k: f"{v:.4f}" for k, v in figures.items()}} for name, figures in self.tests.items()
        ]

    def lines(self) -> list[str]:
        """Where the model lies and what to do with it."""
        trained = f"{self.photos} photos of {self.classes} people, {self.steps} updates, last loss {self.loss:.3f}"
        return [
            trained,
            f"next: refinery evaluate {self.model} TEST_SET, or refinery refine ... --embedder {self.model}",
        ]


def run_recipe(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help=", ".join(RECIPES))],
    data: Annotated[Path, typer.Option(help="A folder that `refinery export` wrote, or a .rec.")],
    out: Annotated[Path, typer.Option(help="A new folder, or the one of the same run: it goes on.")],
    test_set: Annotated[
        list[str],
        typer.Option(help="A .bin, pairs.txt or folder, measured at checkpoints; may be repeated."),
    ] = [],  # noqa: B006  never changed; the command line reads it
    detector: Annotated[str, typer.Option(help="Detector for test sets that are not aligned.")] = "",
    device: Annotated[str, typer.Option(help="cpu, cuda:0...; default: a GPU where there is one.")] = "",
    threads: Annotated[int, typer.Option(help="Threads that decode.")] = 2,
    every: Annotated[int, typer.Option(help="Updates between two lines.")] = 50,
    keep_every: Annotated[int, typer.Option(help="Updates between two checkpoints.")] = 1000,
    **given: str,
) -> Made:
    """Train a recipe on a refined data set; stopped anywhere, the same command goes on.

    Several GPUs: torchrun --nproc-per-node 8 --no-python refinery train RECIPE ...
    """
    from trainer.train import train  # torch takes seconds to load, and only who trains needs it

    run = override(named(recipe), {name: text for name, text in given.items() if text})
    exams = dict(exam(str(out / "tests"), path, detector) for path in test_set)
    made = train(
        run, data, out, test_sets=exams, device=device, threads=threads, log_every=every, checkpoint_every=keep_every
    )
    return shown(made)


def shown(made: "TrainingResult") -> Made:
    """A training's outcome with plain values."""
    return Made(str(made.onnx), str(made.checkpoint), made.photos, made.classes, made.steps, made.loss, made.tests)


def exam(root: str, test_set: str, detector: str) -> tuple[str, Path]:
    """A test set's name and folder as the trainer reads it, aligned by the pipeline when it is not."""
    found = find_model(detector, "detector") if detector else ""
    return Path(test_set).stem, prepare(root, test_set, detector=found)


with_fields(run_recipe)
