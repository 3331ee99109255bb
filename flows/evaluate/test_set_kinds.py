"""Recognises the kind of each test set by its files, and checks test sets before any photo is read."""

from collections.abc import Callable, Mapping, Sequence

from flows.evaluate import pair_sets, tinyface_set, video_sets
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.megaface import test_sets as megaface_sets
from pipeline.errors import UserError
from pipeline.sources.test_sets import ijb, megaface_devkit, trillion_pairs, video_lists
from pipeline.sources.test_sets.identification import tinyface
from trainer.evaluation.roc import FAR_RULES

# how each kind is recognised, tried in this order; a test set of no other kind lists pairs or is folders of people
KINDS: dict[str, Callable[[str], bool]] = {
    "results": megaface_devkit.is_results,
    "templates": ijb.is_ijb,
    "tinyface": tinyface.is_tinyface,
    "trillion-pairs": trillion_pairs.is_trillion_pairs,
    "videos": video_lists.is_video_set,
    "megaface": megaface_sets.recognise,
    "pairs": lambda _path: True,
}


def group_by_kind(test_sets: Sequence[str], kind: str) -> dict[str, list[str]]:
    """The paths of the test sets by kind; kind: that of all of them, "" to recognise each by its files."""
    if kind and kind not in KINDS:
        raise UserError(f"--kind {kind}: give one of {', '.join(KINDS)}")
    check_given_once(test_sets)
    by_kind: dict[str, list[str]] = {k: [] for k in KINDS}
    for path in test_sets:
        by_kind[kind or next(k for k, is_kind in KINDS.items() if is_kind(path))].append(path)
    return by_kind


def check_given_once(test_sets: Sequence[str]) -> None:
    """Raise UserError for a test set that is given twice."""
    if len(set(test_sets)) < len(test_sets):
        raise UserError(f"a test set is given twice: {', '.join(test_sets)}")


def check_test_sets(
    by_kind: Mapping[str, Sequence[str]], options: MeasureOptions, *, has_models: bool, has_stored: bool
) -> None:
    """Raise UserError for test sets that cannot be measured, before any photo is read.

    has_models: some models compute embeddings; has_stored: some stand for embeddings in a folder of --features.
    """
    detector, aligned = options.detector, options.aligned
    check_options(options)
    if by_kind["trillion-pairs"] and not options.features:
        raise UserError(
            f"whom the photos of {by_kind['trillion-pairs'][0]} show was never published: give --features, "
            "a folder for the file of embeddings that is submitted"
        )
    if has_stored and any(by_kind[kind] for kind in ("pairs", "templates", "videos", "tinyface", "trillion-pairs")):
        raise UserError("a folder of --features holds embeddings of MegaFace's photos: with it, give MegaFace only")
    for path in by_kind["pairs"]:
        pair_sets.read_listed_pairs(path, detector=detector, aligned=aligned)
    for path in by_kind["videos"]:
        video_sets.check(path, detector=detector, aligned=aligned)
    for path in by_kind["tinyface"]:
        tinyface_set.check(path, detector=detector, aligned=aligned)
    for path in by_kind["megaface"] if has_models else ():
        pair_sets.check_aligned(path, detector=detector, aligned=aligned)


def check_options(options: MeasureOptions) -> None:
    """Raise UserError for a number that is out of range."""
    if options.draws < 0:
        raise UserError(f"--draws {options.draws}: give 0 or more")
    if options.far_rule not in FAR_RULES:
        raise UserError(f"--tar-at {options.far_rule}: give one of {', '.join(FAR_RULES)}")
    if not 0 < options.far < 0.5:
        raise UserError(f"--far {options.far:g}: give a share between 0 and 0.5")
