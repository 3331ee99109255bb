"""`refinery evaluate`: the figures of models on test sets, and their differences, each with its 95% interval."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import (
    NONE_GIVEN,
    Against,
    Aligned,
    Cache,
    DaskWorkers,
    Detector,
    Draws,
    Far,
    Flip,
    Groups,
    Seed,
    TestSets,
)
from flows.cli.sizes import parse_workers
from flows.evaluate import template_sets, tinyface_set, video_sets
from flows.evaluate.by_group.pair_groups import measure_pair_set
from flows.evaluate.by_group.person_groups import PersonGroups
from flows.evaluate.compared_models import ComparedModels, load_compared_models, short_names
from flows.evaluate.measure_options import MIRRORED, MeasureOptions
from flows.evaluate.megaface import test_sets as megaface_sets
from flows.evaluate.overlap import people_in_both
from flows.evaluate.pair_sets import is_bin, prepare_pairs
from flows.evaluate.results import Evaluation, Figure, MeasuredTestSet, Measurement
from flows.evaluate.test_set_kinds import check_test_sets, group_by_kind
from flows.evaluate.trillion_pairs_set import write_submissions
from flows.evaluate.verify_pairs import measure_pairs
from pipeline.errors import UserError
from pipeline.faces.packs import find_model
from pipeline.sources.test_sets import megaface_devkit
from pipeline.user_cache import faces_cache
from trainer.evaluation.roc import NOT_ABOVE

TarAt = Annotated[
    str,
    typer.Option(
        "--tar-at",
        help="The threshold of TAR at FAR, for pairs and templates: the lowest one whose FAR is not-above the one "
        "asked for, or the one whose FAR is nearest, as InsightFace's script for IJB takes it.",
    ),
]
WithoutOverlap = Annotated[
    str,
    typer.Option(
        help="ROOT of a refinement: measure a second time without the people found both in its photos and in its "
        "test sets."
    ),
]
Kind = Annotated[
    str,
    typer.Option(
        help="Kind of the test sets, where their files do not show it: pairs, templates, videos, megaface, "
        "tinyface, trillion-pairs or results."
    ),
]
Features = Annotated[
    str,
    typer.Option(
        help="Folder to write embeddings to: MegaFace's as its development kit reads them, Trillion-Pairs' as "
        "they are submitted."
    ),
]


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="An ONNX file, an InsightFace pack, a checkpoint of `refinery train`, or a folder of --features.",
        ),
    ],
    test_set: TestSets = NONE_GIVEN,
    *,
    against: Against = NONE_GIVEN,
    cache: Cache = "",
    detector: Detector = "",
    aligned: Aligned = False,
    by_norm: Annotated[bool, typer.Option(help="In templates, weigh a face by the length of its embedding.")] = True,
    by_score: Annotated[bool, typer.Option(help="In templates, weigh a face by the detector's score.")] = True,
    flip: Flip = "",
    groups: Groups = "",
    far: Far = 1e-4,
    tar_at: TarAt = NOT_ABOVE,
    without_overlap: WithoutOverlap = "",
    kind: Kind = "",
    features: Features = "",
    draws: Draws = 1000,
    seed: Seed = 0,
    workers: DaskWorkers = "",
) -> Evaluation:
    """Measure a model on test sets: accuracy by folds, TAR at FAR, AUC, EER, and the difference to other models.

    A --test-set is a .bin; a pairs.txt or its folder, or those of CALFW, CPLFW, CFP, AgeDB; folders of people (then all
    pairs of their photos); IJB-B or IJB-C (meta/ and loose_crop/); YouTube Faces; iQIYI-VID; MegaFace's probes and
    distractors, or a .json of its development kit's results; TinyFace; Trillion-Pairs' testdata_lmk.txt.
    """
    if not test_set:
        raise UserError(f"nothing to measure {model} on: give --test-set")
    detector_file = find_model(detector, "detector") if detector else ""
    pool = parse_workers(workers)
    options = MeasureOptions(
        detector_file, aligned, by_norm, by_score, features, draws, seed, pool, tar_at, PersonGroups.read(groups), far
    )
    by_kind = group_by_kind(test_set, kind)
    models = load_compared_models([model, *against], flip=flip)
    check_test_sets(by_kind, options, has_models=bool(models.embedders), has_stored=bool(models.stored))
    left_out = people_in_both(without_overlap) if without_overlap else None
    return Evaluation.of(_measure_all(cache or faces_cache(), models, by_kind, options, left_out=left_out), draws)


def _measure_all(
    root: str,
    models: ComparedModels,
    by_kind: Mapping[str, Sequence[str]],
    options: MeasureOptions,
    *,
    left_out: frozenset[str] | None,
) -> Iterator[Measurement]:
    """Every model on every test set, kind by kind.

    left_out: people without whom sets of pairs are measured a second time; None: no second time.
    """
    prepared = [
        prepare_pairs(root, path, detector=options.detector, aligned=options.aligned, workers=options.workers)
        for path in by_kind["pairs"]
    ]
    names = short_names(by_kind["pairs"], [p.name for p in prepared])
    for path, name, pairs in zip(by_kind["pairs"], names, prepared, strict=True):
        default = MIRRORED if is_bin(Path(path)) else ""
        embedders = models.with_default_flip(default)
        flip = models.flip or default
        yield measure_pair_set(root, embedders, pairs, options, name=name).with_flip(flip)
        if left_out is not None:
            second_name = f"{name} without overlap"
            measured = measure_pairs(root, embedders, pairs, options, name=second_name, left_out=left_out)
            yield measured.with_flip(flip)
    for path in by_kind["templates"]:
        embedders = models.with_default_flip(MIRRORED)
        yield template_sets.measure(root, embedders, path, options).with_flip(models.flip or MIRRORED)
    for path in by_kind["tinyface"]:
        embedders = models.with_default_flip(MIRRORED)
        yield tinyface_set.measure(root, embedders, path, options).with_flip(models.flip or MIRRORED)
    for path in by_kind["videos"]:
        yield video_sets.measure(root, models.embedders, path, options)
    for path in by_kind["megaface"]:
        yield from megaface_sets.measure(root, {**models.embedders, **models.stored}, path, options)
    for path in by_kind["trillion-pairs"]:
        yield write_submissions(root, models.embedders, path, options)
    for path in by_kind["results"]:
        yield _read_results(path)


def _read_results(path: str) -> Measurement:
    """The figures that MegaFace's development kit computed."""
    name = Path(path).stem
    figures = [
        Figure(name, figure, "development kit", "", value, None, None)
        for figure, value in megaface_devkit.read_results(path).items()
    ]
    return Measurement(MeasuredTestSet(name, path, pairs=0, genuine=0, missing=0), figures)
