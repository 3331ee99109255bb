"""`refinery self-train`: refines without a pretrained embedder, by training on the noisy photos themselves.

Round 0 trains on the labels as claimed and refines with that model. A network learns what most photos of an identity
have in common before it learns the wrong labels, so this model already finds a good part of the noise. Every further
round trains on the labels of the round before. The rounds end when few photos get another label.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

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
    FirstShare,
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
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from flows.prefect_runtime.recorded_flow import recorded_flow
from flows.prefect_runtime.task import as_task
from flows.refine.flow import refine
from flows.refine.results import RefineResult
from flows.refine.source_pairs import parse_sources, survey_sources
from flows.refine.tables import build_faces, build_photos
from flows.train.run_options import RunOptions, run_of
from flows.train.training_sets import build_training_set
from pipeline.errors import UserError, check_all
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.faces.protocols import FaceDetector
from pipeline.faces.tombstones.tombstones import read_tombstones
from pipeline.refined.comparison_sets import as_claimed
from pipeline.refinement import latest
from pipeline.root_lock import root_lock
from pipeline.schema import digest
from pipeline.sources.files import existing_path
from pipeline.sources.index import Source
from pipeline.tables.build import Workers
from pipeline.tables.table import Table
from trainer.run import Run, folder_text

log = logging.getLogger("refinery")
FIRST_SHARE = 1 / 3  # on the drawn world, F1 .76 with it and .23 without (results/cleaning.md)


@dataclass(frozen=True)
class SelfTrainingRound:
    """One round of training and refining."""

    round: int
    trained_on: int  # photos
    kept: int  # photos, by the refinement
    changed: int  # photos with another label than in the round before
    share: float  # of the photos that changed
    model: str


@dataclass(frozen=True)
class SelfTrainingResult(Result):
    """The rounds of a finished self-training, and the last refinement."""

    rounds: list[SelfTrainingRound]
    outcome: RefineResult

    def rows(self) -> list[dict[str, Any]]:
        """One row for each round."""
        return [asdict(r) | {"share": f"{r.share:.1%}"} for r in self.rounds]

    def lines(self) -> list[str]:
        """The last model, and the lines of the last refinement."""
        return [f"the last model: {self.rounds[-1].model}", *self.outcome.lines()]


def _check(options: Mapping[str, Any]) -> None:
    """Raise UserError with every mistake in the options of self_train."""
    check_all(
        lambda: _check_rounds(options["rounds"], options["first_share"]),
        lambda: run_of(options["recipe"], RunOptions.of(options)),
        lambda: parse_sources(
            options["source"],
            follow_links=options["follow_links"],
            identity_level=options["identity_level"],
            boxes=options["boxes"],
        ),
        lambda: parse_workers(options["workers"]),
        lambda: find_model(options["detector"], "detector"),
        *(partial(existing_path, path) for path in options["test_set"]),
    )


def _check_rounds(rounds: int, first_share: float) -> None:
    if rounds < 1:
        raise UserError(f"--rounds {rounds}: give 1 or more")
    if not 0 < first_share <= 1:
        raise UserError(f"--first-share {first_share}: give more than 0, at most 1")


@recorded_flow("self-train", check=_check)
def self_train(
    root: Root,
    source: Sources,
    detector: Detector,
    *,
    recipe: Recipe = "sample",
    rounds: Rounds = 3,
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
    follow_links: FollowLinks = False,
    identity_level: IdentityLevel = 0,
    boxes: Boxes = NONE_GIVEN,
) -> SelfTrainingResult:
    """Refine without a pretrained embedder: train on the noisy labels, refine with that model, train again."""
    _check_rounds(rounds, first_share)
    run = run_of(recipe, RunOptions(backbone, loss, steps, batch, lr, seed, settings))
    first_run = _first_run(run, first_share, sub_centres=sub_centres)
    given: dict[str, Any] = {"follow_links": follow_links, "identity_level": identity_level, "boxes": boxes}
    sources = parse_sources(source, **given)
    pool = parse_workers(workers)
    face_detector = OnnxDetector(find_model(detector, "detector"))
    finished: list[SelfTrainingRound] = []
    with root_lock(root):
        photos, faces = _faces(root, sources, face_detector, aligned=aligned, workers=pool)
        labels = as_claimed(root, photos, faces, workers=pool)
        for number in range(rounds):
            _check_photos_left(number, labels, first_share)
            models = detector, _train_model(root, run if number else first_run, labels, faces, device)
            refined = refine.fn(
                root, source, *models, test_set=test_set, min_faces=min_faces, workers=workers, aligned=aligned, **given
            )
            current = latest(root)  # whose labels are those of the faces that it chose
            earlier, labels, faces = labels, current.labels, current.faces
            finished.append(_finished_round(number, earlier, labels, models[1]))
            if finished[-1].share < stop_share:
                break
    return SelfTrainingResult(finished, refined)


def _faces(
    root: str, sources: Sequence[Source], face_detector: FaceDetector, *, aligned: bool, workers: Workers
) -> tuple[Table, Table]:
    """The photos and the faces of the sources."""
    survey_sources(sources)
    photos, source_paths = build_photos(root, sources, workers=workers)
    run: dict[str, Any] = {"aligned": aligned, "workers": workers, "tombstones": read_tombstones(root)}
    return photos, build_faces(root, photos, source_paths, face_detector, **run)


def _first_run(run: Run, first_share: float, *, sub_centres: bool) -> Run:
    """The run of round 0: shorter, and with sub-centres if the option is set."""
    short = replace(run, steps=max(1, round(run.steps * first_share)))
    if not sub_centres:
        return short
    from trainer.losses.names import with_subcentres  # torch takes seconds to load

    return replace(short, loss=with_subcentres(run.loss))


def _check_photos_left(number: int, labels: Table, first_share: float) -> None:
    """Log the round that begins. Raises UserError where the labels keep no photo to train on."""
    kept = _count_kept(labels)
    if not kept:
        raise UserError(
            f"round {number}: no photo is left to train on: give more --steps, or a larger "
            f"--first-share than {first_share:.2g}"
        )
    log.info("round %d: train on %d photos, then refine", number, kept)


def _train_model(root: str, run: Run, labels: Table, faces: Table, device: str) -> str:
    """The ONNX model of a run trained on some labels: trained now, or found.

    The name of its folder in the root is a digest of both. The folder above is called "bootstrap", which existing roots
    keep.
    """
    from trainer.train import train  # torch takes seconds to load

    data = build_training_set(root, labels, faces)
    out = Path(root).absolute() / "bootstrap" / digest(data.stem, folder_text(run))
    return str(as_task(train)(run, data, out, device=device).onnx)


def _finished_round(number: int, earlier: Table, labels: Table, model: str) -> SelfTrainingRound:
    """The record of a round, which was trained on earlier labels and gave new ones."""
    changed, photos = _count_changed(earlier, labels), len(labels)
    share = changed / max(1, photos)
    log.info("round %d: %d of %d photos have another label (%.1f%%)", number, changed, photos, 100 * share)
    return SelfTrainingRound(number, _count_kept(earlier), _count_kept(labels), changed, share, model)


def _count_kept(labels: Table) -> int:
    return sum(len(rows) - rows["identity"].null_count for rows in labels.batches(["identity"]))


def _count_changed(earlier: Table, labels: Table) -> int:
    """How many photos are removed now but were kept, are kept but were removed, or have another identity."""
    shards = zip(earlier.batches(["identity"]), labels.batches(["identity"]), strict=True)
    return sum(
        before != after
        for earlier_rows, rows in shards
        for before, after in zip(earlier_rows["identity"].to_pylist(), rows["identity"].to_pylist(), strict=True)
    )
