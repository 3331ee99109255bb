"""`refinery experiment`: compares trainings on the data before refining, after it, and on a random subset.

The random subset shows whether a gain comes from the smaller number of photos alone. Every figure has 95% intervals:
over bootstrap samples of the test set's people, and over seeds.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from flows.evaluate.measure_options import MIRRORED
from flows.evaluate.pair_sets import is_bin, prepare_pairs
from flows.evaluate.verify_pairs import verify_model
from flows.prefect_runtime.recorded_flow import recorded_flow
from flows.prefect_runtime.task import as_task
from flows.refine.models import load_embedder
from flows.train.arm_figures import ArmFigure, Gain, arm_figures, refined_gains
from flows.train.comparison import Comparison, save_comparison
from flows.train.run_options import RunOptions, run_of
from flows.train.start_options import Freeze, Init, LayerLearningRate, NewClassifier, start_of, training_digest
from flows.train.training_sets import ARMS, build_compared_sets
from pipeline.errors import UserError, check_all
from pipeline.faces.packs import find_model
from pipeline.refinement import latest
from pipeline.schema import digest
from pipeline.sources.files import existing_path
from trainer.run import Run

if TYPE_CHECKING:
    from trainer.pretrained.start import Start

log = logging.getLogger("refinery")


def _check(options: Mapping[str, Any]) -> None:
    """Raise UserError with every mistake in the options of experiment."""
    check_all(
        lambda: _check_counts(options["seeds"], options["test_set"]),
        lambda: run_of(options["recipe"], RunOptions.of(options)),
        lambda: find_model(options["detector"], "detector") if options["detector"] else "",
        lambda: latest(options["root"]),
        lambda: existing_path(options["init"]) if options["init"] else "",
        *(partial(existing_path, path) for path in options["test_set"]),
    )


def _check_counts(seeds: int, test_sets: Sequence[str]) -> None:
    if seeds < 1 or not test_sets:
        raise UserError(f"--seeds {seeds} with {len(test_sets)} --test-set: give at least one of each")


@recorded_flow("experiment", check=_check)
def experiment(
    root: Root,
    test_set: TestSets = NONE_GIVEN,
    *,
    recipe: Recipe = "sample",
    seeds: Seeds = 3,
    detector: Detector = "",
    aligned: Aligned = False,
    device: Device = "",
    init: Init = "",
    freeze: Freeze = False,
    layer_lr: LayerLearningRate = 1.0,
    new_classifier: NewClassifier = False,
    draws: Draws = 1000,
    backbone: Backbone = "",
    loss: Loss = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> Comparison:
    """Train the same on the data before, after, and after a random removal of as many photos; compare on test sets."""
    _check_counts(seeds, test_set)
    run = run_of(recipe, RunOptions(backbone, loss, steps, batch, lr, seed, settings))
    start = start_of(init, freeze=freeze, layer_lr=layer_lr, new_classifier=new_classifier)
    detector_file = find_model(detector, "detector") if detector else ""
    tests = [prepare_pairs(root, path, detector=detector_file, aligned=aligned) for path in test_set]
    trained = _train_arms(root, run, start, seeds, device=device)
    figures: list[ArmFigure] = []
    gains: list[Gain] = []
    for test, source in zip(tests, test_set, strict=True):
        flip = MIRRORED if is_bin(Path(source)) else ""
        verified = {
            arm: [verify_model(root, load_embedder(path, flip), test, draws=draws) for path in models.checkpoints]
            for arm, models in trained.items()
        }
        figures += arm_figures(test.name, verified, {arm: models.photos for arm, models in trained.items()})
        gains += refined_gains(test.name, verified)
    folder = _experiment_folder(root, trained, test_set)
    below_root = {arm: [_below(root, path) for path in models.checkpoints] for arm, models in trained.items()}
    seeds_trained = list(range(run.seed, run.seed + seeds))
    settings_of_all = asdict(run) | ({"start": start.settings} if start.settings else {})
    comparison = Comparison(settings_of_all, seeds_trained, figures, gains, str(folder), below_root)
    save_comparison(comparison, folder, sorted({f"{test.faces.name}/{test.faces.address}" for test in tests}))
    return comparison


class TrainedArm(NamedTuple):
    """The models of one arm, a checkpoint for each seed, and how many photos they were trained on."""

    checkpoints: list[str]
    photos: int


def _train_arms(root: str, run: Run, start: "Start", seeds: int, *, device: str) -> dict[str, TrainedArm]:
    """The models of every arm, one for each seed, trained now or found."""
    from trainer.train import train  # torch takes seconds to load

    checkpoints: dict[str, list[str]] = {arm: [] for arm in ARMS}
    photos: dict[str, int] = {}
    for seed in range(run.seed, run.seed + seeds):
        seeded = replace(run, seed=seed)
        for arm, data in as_task(build_compared_sets)(root, latest(root), seed=seed).items():
            log.info("%s, seed %d: train %d updates", arm, seed, run.steps)
            out = Path(root).absolute() / "trainings" / training_digest(data, seeded, start)
            result = as_task(train)(seeded, data, out, device=device, start=start)
            checkpoints[arm].append(str(result.checkpoint))
            photos[arm] = result.photos
    return {arm: TrainedArm(checkpoints[arm], photos[arm]) for arm in ARMS}


def _experiment_folder(root: str, trained: dict[str, TrainedArm], test_sets: list[str]) -> Path:
    """The folder of the comparison; its name is a digest of the models and the test sets."""
    models = [path for arm in trained.values() for path in arm.checkpoints]
    return Path(root).absolute() / "experiments" / digest(*models, *test_sets)


def _below(root: str, path: str) -> str:
    return str(Path(path).relative_to(Path(root).absolute()))
