"""`refinery sample`: draw a sample world, and train the two small models for drawn people again, from seeds alone."""

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
SEED = 1000  # of the models' training data; the demo's and the tests' worlds have smaller seeds
# updates of the embedder; the recipe's are meant for quick comparisons (benchmark/results/sample_models.md)
STEPS = 8000
TEST_PEOPLE = 4  # of the drawn world, the fewest that it can have: their photos are not used
DETECTOR_PHOTOS = 12  # photos of each person that the detector is trained on


@dataclass(frozen=True)
class SampleFiles(Result):
    """The files that were drawn or trained; what: a line of text for each."""

    what: list[str]

    def lines(self) -> list[str]:
        """The lines of text."""
        return self.what


def world(
    out: OutFolder,
    people: People = 80,
    photos: Photos = 1200,
    seed: Seed = 0,
    clean: Annotated[bool, typer.Option("--clean", help="Without any noise.")] = False,
) -> SampleFiles:
    """Draw people in photos with planted noise, the truth beside them, groups, and a test set."""
    return SampleFiles(draw_world(out, people=people, photos=photos, seed=seed, noise=not clean).lines())


def models(
    out: OutFolder,
    *,
    embedder_people: Annotated[int, typer.Option(help="People in the embedder's training photos.")] = 2000,
    photos_each: Annotated[int, typer.Option(help="Photos of each person for the embedder.")] = 8,
    detector_people: Annotated[int, typer.Option(help="People in the detector's training photos.")] = 150,
    detector_steps: Annotated[int, typer.Option(help="Updates of the detector.")] = 2400,
    backbone: Backbone = "",
    loss: Loss = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> SampleFiles:
    """Train the sample world's detector and embedder on people of other seeds (about an hour on two cores).

    The embedder is trained by the recipe `sample`, with 8,000 updates.
    """
    from trainer.train import train  # torch takes seconds to load

    out.mkdir(parents=True, exist_ok=True)
    detector = out / "detector.onnx"
    if not detector.exists():
        _train_detector(detector, people=detector_people, steps=detector_steps)
    draw_world(
        out / "world",
        people=embedder_people,
        photos=embedder_people * photos_each,
        seed=SEED + 1,
        noise=False,
        test_people=TEST_PEOPLE,
    )
    root = str(out.absolute() / "root")
    photos, source_paths = build_photos(root, [Source("drawn", "image-folder", str((out / "world/photos").absolute()))])
    faces = build_faces(root, photos, source_paths, OnnxDetector(str(detector.absolute())), aligned=False)
    data = build_training_set(root, as_claimed(root, photos, faces), faces)
    run = run_of("sample", RunOptions(backbone, loss, steps or STEPS, batch, lr, seed, settings))
    trained = train(run, data, out / "embedder")
    shutil.copyfile(trained.onnx, out / "embedder.onnx")
    return SampleFiles([f"{f}: {f.stat().st_size / 1e6:.2f} MB" for f in (detector, out / "embedder.onnx")])


def _train_detector(file: Path, *, people: int, steps: int) -> None:
    from trainer.sample_detector.network import to_onnx  # torch takes seconds to load
    from trainer.sample_detector.scenes import Photo
    from trainer.sample_detector.train import train_detector

    drawn = []
    with stage_progress("draw", total=people, unit="people") as advance:
        for number, photo in enumerate(draw_people(people, DETECTOR_PHOTOS, SEED), start=1):
            drawn.append(Photo(photo.photo, photo.boxes, photo.landmarks))
            if number % DETECTOR_PHOTOS == 0:
                advance(DETECTOR_PHOTOS)
    to_onnx(train_detector(drawn, seed=SEED, steps=steps), file)
