"""The sample world, and the two small models that see it, made again from nothing but seeds."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import (
    NONE_GIVEN,
    Backbone,
    Batch,
    LearningRate,
    Loss,
    OutFolder,
    People,
    Photos,
    Seed,
    Settings,
    Steps,
)
from flows.cli.result import Result
from flows.refine.tables import build_faces, build_photos
from flows.train.run_options import RunOptions, run_of
from flows.train.training_sets import build_training_set
from pipeline.faces.detect import OnnxDetector
from pipeline.progress import stage_progress
from pipeline.refined.comparison_sets import as_claimed
from pipeline.sample.drawing.portraits import draw_people
from pipeline.sample.world import draw_world
from pipeline.sources.index import Source

log = logging.getLogger("refinery")
SEED = 1000  # worlds for people to look at and tests have seeds below
STEPS = 480  # updates of the embedder: twice the recipe's, whose trainings are to be compared and not used
POSES = 12  # photos that the detector sees of a person


@dataclass(frozen=True)
class DrawnFiles(Result):
    """What was made, and where."""

    what: list[str]

    def lines(self) -> list[str]:
        """A line each."""
        return self.what


def world(
    out: OutFolder,
    people: People = 80,
    photos: Photos = 1200,
    seed: Seed = 0,
    clean: Annotated[bool, typer.Option("--clean", help="Without any noise.")] = False,
) -> DrawnFiles:
    """Draw people in photos with planted noise, the truth beside them, groups, and a test set."""
    return DrawnFiles(draw_world(out, people=people, photos=photos, seed=seed, noise=not clean).lines())


def models(
    out: OutFolder,
    *,
    embedder_people: Annotated[int, typer.Option(help="People that the embedder learns to tell apart.")] = 240,
    photos_each: Annotated[int, typer.Option(help="Photos of each of them.")] = 12,
    detector_people: Annotated[int, typer.Option(help="People that the detector learns from.")] = 60,
    detector_steps: Annotated[int, typer.Option(help="Updates of the detector.")] = 1600,
    backbone: Backbone = "",
    loss: Loss = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> DrawnFiles:
    """Train the sample world's detector and embedder on people of other seeds (about half an hour on two cores).

    The embedder is the recipe `sample` with 480 updates.
    """
    from trainer.train import train  # torch takes seconds to load

    out.mkdir(parents=True, exist_ok=True)
    detector = out / "detector.onnx"
    if not detector.exists():
        _detector(detector, people=detector_people, steps=detector_steps)
    draw_world(out / "world", people=embedder_people, photos=embedder_people * photos_each, seed=SEED + 1, noise=False)
    root = str(out.absolute() / "root")
    taken, where = build_photos(root, [Source("drawn", "image-folder", str((out / "world/photos").absolute()))])
    faces = build_faces(root, taken, where, OnnxDetector(str(detector.absolute())), aligned=False)
    data = build_training_set(root, as_claimed(root, taken, faces), faces)
    run = run_of("sample", RunOptions(backbone, loss, steps or STEPS, batch, lr, seed, settings))
    made = train(run, data, out / "embedder")
    shutil.copyfile(made.onnx, out / "embedder.onnx")
    return DrawnFiles([f"{f}: {f.stat().st_size / 1e6:.2f} MB" for f in (detector, out / "embedder.onnx")])


def _detector(file: Path, *, people: int, steps: int) -> None:
    from trainer.sample_detector.network import to_onnx  # torch takes seconds to load
    from trainer.sample_detector.scenes import Photo
    from trainer.sample_detector.train import train_detector

    drawn = []
    with stage_progress("draw", total=people, unit="people") as advance:
        for number, photo in enumerate(draw_people(people, POSES, SEED), start=1):
            drawn.append(Photo(photo.photo, photo.boxes, photo.landmarks))
            if number % POSES == 0:
                advance(POSES)
    to_onnx(train_detector(drawn, seed=SEED, steps=steps), file)
