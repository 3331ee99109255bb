"""A training from its test sets to the folder that is ready to be published."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flows.evaluate.compared_models import numbered_names
from flows.evaluate.measure_options import MIRRORED, MeasureOptions
from flows.evaluate.pair_sets import PreparedPairs, is_bin, prepare_pairs
from flows.evaluate.test_set_kinds import check_given_once, check_options
from trainer.run import Run

if TYPE_CHECKING:
    from trainer.pretrained.start import Start
    from trainer.pretrained.teacher import Teaching
    from trainer.train import TrainingResult


class LoopOptions(NamedTuple):
    """The options of a training that do not change its result; see trainer.train.train."""

    device: str
    threads: int
    log_every: int
    checkpoint_every: int
    track: Sequence[str]


class Published(NamedTuple):
    """A training's result, and the folder to publish; "" on all ranks but the first."""

    trained: "TrainingResult"
    release: str


def train_and_publish(
    run: Run,
    data: Path,
    out: Path,
    *,
    recipe: str,
    start: "Start",
    teaching: "Teaching",
    loop: LoopOptions,
    test_sets: Sequence[str],
    options: MeasureOptions,
    licence: str,
) -> Published:
    """Train a recipe's run, and write the folder to publish; on several ranks the first one writes it.

    test_sets: paths; options: of their measurement. Raises UserError as train() and write_release() do.
    """
    from flows.train.release.folder import write_release  # torch takes seconds to load
    from trainer.distributed.ranks import rank
    from trainer.trackers.tracker import check_trackers
    from trainer.train import train

    check_trackers(loop.track)  # before the photos of the test sets are read
    tests = _prepared(out, test_sets, options)
    result = train(
        run,
        data,
        out,
        test_sets={name: pairs.folder for name, (pairs, _) in tests.items()},
        device=loop.device,
        threads=loop.threads,
        log_every=loop.log_every,
        checkpoint_every=loop.checkpoint_every,
        start=start,
        teaching=teaching,
        track=loop.track,
    )
    if rank():
        return Published(result, "")
    release = write_release(result, data, tests, options, recipe=recipe, licence=licence)
    return Published(result, str(release))


def _prepared(out: Path, test_sets: Sequence[str], options: MeasureOptions) -> dict[str, tuple[PreparedPairs, str]]:
    """The test sets by name, and how the mirrored face is used in each.

    Raises UserError for one that is none, and for one that is given twice.
    """
    check_options(options)
    check_given_once(test_sets)
    prepared = [
        prepare_pairs(str(out / "tests"), path, detector=options.detector, aligned=options.aligned)
        for path in test_sets
    ]
    names = numbered_names([pairs.name for pairs in prepared])  # no path: a card is published
    flips = [MIRRORED if is_bin(Path(path)) else "" for path in test_sets]
    return dict(zip(names, zip(prepared, flips, strict=True), strict=True))
