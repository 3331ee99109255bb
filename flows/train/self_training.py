"""`refinery self-train`: refines without a pretrained embedder, by training on the noisy photos themselves.

Round 0 trains on the labels as claimed and refines with that model. A network learns what most photos of an identity
have in common before it learns the wrong labels, so this model already finds a good part of the noise. It is still a
weak model: photos are judged by it and by the texture of the faces together (noise/likelihood_ratio/). Every further
round trains on the photos that look like most of their identity to the model of the round before. All trainings are
short: after many passes over the photos the network knows the wrong labels by heart. The rounds end when few photos get
another label.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import (
    NONE_GIVEN,
    Aligned,
    Backbone,
    Batch,
    Boxes,
    DaskWorkers,
    Detector,
    Device,
    FollowLinks,
    IdentityLevel,
    LearningRate,
    Loss,
    MinFaces,
    Recipe,
    Root,
    Rounds,
    Seed,
    Settings,
    Sources,
    Steps,
    TestSets,
)
from flows.cli.sizes import parse_workers
from flows.prefect_runtime.recorded_flow import recorded_flow
from flows.prefect_runtime.task import as_task
from flows.refine.flow import refine_root
from flows.refine.request import RefineRequest
from flows.refine.source_pairs import parse_sources, survey_sources
from flows.refine.tables import build_faces, build_photos
from flows.train.run_options import RunOptions, run_of
from flows.train.self_training_rounds import SelfTrainingResult, SelfTrainingRound, count_kept, finished_round
from flows.train.start_options import Init, LayerLearningRate, start_of, training_digest
from flows.train.training_sets import build_training_set
from flows.train.typical_photos import typical_photos
from pipeline.errors import UserError, check_all
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.faces.protocols import FaceDetector
from pipeline.faces.tombstones.tombstones import read_tombstones
from pipeline.refined.comparison_sets import as_claimed
from pipeline.refinement import latest
from pipeline.root_lock import root_lock
from pipeline.sources.files import existing_path
from pipeline.sources.index import Source
from pipeline.tables.build import Workers
from pipeline.tables.table import Table
from trainer.run import Run

if TYPE_CHECKING:
    from trainer.pretrained.start import Start

log = logging.getLogger("refinery")
# passes over the photos that a training makes, unless --steps is given. Drawn photos are known by heart after 8 to 13
# (results/self_training.md)
PASSES = 6.5


def _check(options: Mapping[str, Any]) -> None:
    """Raise UserError with every mistake in the options of self_train."""
    check_all(
        lambda: _check_rounds(options["rounds"]),
        lambda: run_of(options["recipe"], RunOptions.of(options)),
        lambda: parse_sources(
            options["source"],
            follow_links=options["follow_links"],
            identity_level=options["identity_level"],
            boxes=options["boxes"],
        ),
        lambda: parse_workers(options["workers"]),
        lambda: existing_path(options["init"]) if options["init"] else "",
        lambda: find_model(options["detector"], "detector"),
        *(partial(existing_path, path) for path in options["test_set"]),
    )


def _check_rounds(rounds: int) -> None:
    if rounds < 1:
        raise UserError(f"--rounds {rounds}: give 1 or more")


@recorded_flow("self-train", check=_check)
def self_train(
    root: Root,
    source: Sources,
    detector: Detector,
    *,
    recipe: Recipe = "sample",
    rounds: Rounds = 3,
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
    init: Init = "",
    layer_lr: LayerLearningRate = 1.0,
    workers: DaskWorkers = "",
    backbone: Backbone = "",
    loss: Loss = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
    follow_links: FollowLinks = False,
    identity_level: IdentityLevel = 0,
    boxes: Boxes = NONE_GIVEN,
) -> SelfTrainingResult:
    """Refine without a pretrained embedder: train on the noisy labels, refine with that model, train again."""
    _check_rounds(rounds)
    run = run_of(recipe, RunOptions(backbone, loss, steps, batch, lr, seed, settings))
    first_run = _with_sub_centres(run) if sub_centres else run
    given: dict[str, Any] = {"follow_links": follow_links, "identity_level": identity_level, "boxes": boxes}
    sources = parse_sources(source, **given)
    refining: dict[str, Any] = {"min_faces": min_faces, "aligned": aligned, "flip": "add", **given}
    refining |= {"test_set": test_set, "workers": workers}
    pool, start = parse_workers(workers), start_of(init, layer_lr=layer_lr)
    face_detector = OnnxDetector(find_model(detector, "detector"))
    finished: list[SelfTrainingRound] = []
    with root_lock(root):
        photos, faces = _faces(root, sources, face_detector, aligned=aligned, workers=pool)
        labels = training = as_claimed(root, photos, faces, workers=pool)
        for number in range(rounds):
            round_run = _short(run if number else first_run, _photos_left(number, training), steps)
            model = _train_model(root, round_run, training, faces, start=start, device=device)
            request = RefineRequest.parse(source, detector, model, **refining)
            refined = refine_root(root, replace(request, textures=True))
            current = latest(root)  # whose labels are those of the faces that it chose
            earlier, labels, faces = labels, current.labels, current.faces
            finished.append(finished_round(number, training, earlier, labels, model))
            if finished[-1].share < stop_share or number + 1 == rounds:
                break
            claims = as_claimed(root, photos, faces, workers=pool)
            training = typical_photos(root, claims, current.embeddings[0], workers=pool)
    return SelfTrainingResult(finished, refined)


def _faces(
    root: str, sources: Sequence[Source], face_detector: FaceDetector, *, aligned: bool, workers: Workers
) -> tuple[Table, Table]:
    """The photos and the faces of the sources."""
    survey_sources(sources)
    photos, source_paths = build_photos(root, sources, workers=workers)
    run: dict[str, Any] = {"aligned": aligned, "workers": workers, "tombstones": read_tombstones(root)}
    return photos, build_faces(root, photos, source_paths, face_detector, **run)


def _with_sub_centres(run: Run) -> Run:
    """The run with three centres a class."""
    from trainer.losses.names import with_subcentres  # torch takes seconds to load

    return replace(run, loss=with_subcentres(run.loss))


def _short(run: Run, photos: int, steps: int | None) -> Run:
    """The run with PASSES passes over this many photos; as it is if --steps was given."""
    return run if steps else replace(run, steps=max(1, round(PASSES * photos / run.batch)))


def _photos_left(number: int, labels: Table) -> int:
    """How many photos a round trains on; logged. Raises UserError where there is none."""
    kept = count_kept(labels)
    if not kept:
        raise UserError(f"round {number}: no photo is left to train on: give more --steps")
    log.info("round %d: train on %d photos, then refine", number, kept)
    return kept


def _train_model(root: str, run: Run, labels: Table, faces: Table, *, start: "Start", device: str) -> str:
    """The ONNX model of a run trained on some labels: trained now, or found.

    The name of its folder in the root is a digest of both. The folder above is called "bootstrap", which existing roots
    keep.
    """
    from trainer.train import train  # torch takes seconds to load

    data = build_training_set(root, labels, faces)
    out = Path(root).absolute() / "bootstrap" / training_digest(data, run, start)
    return str(as_task(train)(run, data, out, device=device, start=start).onnx)
