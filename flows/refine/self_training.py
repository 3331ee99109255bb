"""Refining without a pretrained model: train on the noisy data, refine with that model, train again on what stayed.

Round 0 learns from the claims as they are; a network learns what most photos of a name have in common before it learns
the exceptions by heart, so its model tells a good part of the noise already. Every round after it refines with the
model of the round before, and the rounds end when few photos change their fate any more.
"""

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from prefect import flow

from flows.cli.result import Result
from flows.cli.run_options import with_fields
from flows.prefect_runtime.task import as_task
from flows.refine.flow import refine
from flows.refine.results import RefineResult
from flows.refine.source_pairs import parse_sources
from flows.refine.tables import build_faces, build_photos
from flows.refine.take_out import parse_workers
from flows.train.training_sets import manifest
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.refined.comparison_sets import as_claimed
from pipeline.refinement import latest
from pipeline.root_lock import root_lock
from pipeline.schema import digest
from pipeline.tables.table import Table
from trainer.recipes import recipe as named
from trainer.run import Run, override

log = logging.getLogger("refinery")
FIRST_SHARE = 1 / 3  # on the drawn world, F1 .76 with it and .23 without (results/bootstrap.md)


@dataclass(frozen=True)
class Round:
    """One refinement of a bootstrap: the photos it kept, and how many have another fate than in the round before."""

    round: int
    trained_on: int
    kept: int
    changed: int
    share: float
    model: str


@dataclass(frozen=True)
class Rounds(Result):
    """A finished bootstrap."""

    rounds: list[Round]
    outcome: RefineResult

    def rows(self) -> list[dict[str, Any]]:
        """A line a round."""
        return [asdict(r) | {"share": f"{r.share:.1%}"} for r in self.rounds]

    def lines(self) -> list[str]:
        """What the last refinement says."""
        return [f"the last model: {self.rounds[-1].model}", *self.outcome.lines()]


@flow(name="bootstrap", validate_parameters=False, persist_result=False)
def bootstrap(
    source: Annotated[list[str], typer.Argument(metavar="SOURCE PATH...", help="As for refine.")],
    root: Annotated[str, typer.Option(help="Where the tables and models go: a folder. Run again to go on.")],
    detector: Annotated[str, typer.Option(help="Face detector: an ONNX file, SCRFD or YuNet, or an InsightFace pack.")],
    recipe: Annotated[str, typer.Option(help="What is trained in every round.")] = "sample",
    rounds: Annotated[int, typer.Option(help="Refinements at most.")] = 3,
    first_share: Annotated[
        float, typer.Option(help="Share of the updates that round 0 takes: before the noise is learnt by heart.")
    ] = FIRST_SHARE,
    stop_share: Annotated[float, typer.Option(help="Share of photos with a new fate below which it ends.")] = 0.01,
    sub_centres: Annotated[
        bool, typer.Option("--sub-centres", help="Round 0 with three centres a class (sub-centre ArcFace).")
    ] = False,
    test_set: Annotated[list[str], typer.Option(help="As for refine.")] = [],  # noqa: B006  never changed
    aligned: Annotated[bool, typer.Option("--aligned", help="The photos are aligned crops already.")] = False,
    min_faces: Annotated[int, typer.Option(help="Photos; an identity with fewer left is removed.")] = 2,
    device: Annotated[str, typer.Option(help="cpu, cuda:0...; default: a GPU where there is one.")] = "",
    workers: Annotated[str, typer.Option(help="Processes, or the address of a Dask scheduler; default: threads.")] = "",
    **given: str,
) -> Rounds:
    """Refine, train, refine again: for data nobody has a model for."""
    if rounds < 1:
        raise UserError(f"--rounds {rounds}: give 1 or more")
    run = override(named(recipe), {name: text for name, text in given.items() if text})
    if not 0 < first_share <= 1:
        raise UserError(f"--first-share {first_share}: give more than 0, at most 1")
    short = replace(run, steps=max(1, round(run.steps * first_share)))
    opening = replace(short, loss=_with_centres(run.loss)) if sub_centres else short
    many, found = parse_workers(workers), find_model(detector, "detector")
    claimed = parse_sources(source)
    with root_lock(root):
        taken, where = build_photos(root, claimed, workers=many)
        faces = build_faces(root, taken, where, OnnxDetector(found), aligned=aligned, workers=many)
        labels = as_claimed(root, taken, faces, workers=many)
        done: list[Round] = []
        for number in range(rounds):
            if not _kept(labels):
                raise UserError(
                    f"round {number}: no photo is left to learn from: give more --steps, or a larger "
                    f"--first-share than {first_share:.2g}"
                )
            log.info("round %d: train on %d photos, then refine", number, _kept(labels))
            first = opening if number == 0 else run
            model = _model(root, first, labels, faces, device)
            outcome = refine.fn(
                source, root, detector, model, test_set=test_set, aligned=aligned, min_faces=min_faces, workers=workers
            )
            new = latest(root).labels
            changed = _changed(labels, new)
            share = changed / max(1, len(new))
            done.append(Round(number, _kept(labels), outcome.account.kept, changed, share, model))
            log.info("round %d: %d of %d photos have another fate (%.1f%%)", number, changed, len(new), 100 * share)
            labels = new
            if share < stop_share:
                break
    return Rounds(done, outcome)


def _model(root: str, run: Run, labels: Table, faces: Table, device: str) -> str:
    """The ONNX model that a run makes of some labels: trained now, or found."""
    from trainer.train import train  # torch takes seconds to load, and only who trains needs it

    data = manifest(root, labels, faces)
    out = Path(root).absolute() / "bootstrap" / digest(data.stem, str(asdict(run)))
    made = as_task(train)(run, data, out, device=device)
    return str(made.onnx)


def _with_centres(loss: str) -> str:
    from trainer.losses.names import with_subcentres  # torch takes seconds to load

    return with_subcentres(loss)


def _kept(labels: Table) -> int:
    return sum(len(rows) - rows["identity"].null_count for rows in labels.batches(["identity"]))


def _changed(before: Table, after: Table) -> int:
    """Photos whose identity, or having one, is another than before."""
    pairs = zip(before.batches(["identity"]), after.batches(["identity"]), strict=True)
    return sum(
        a != b
        for old, new in pairs
        for a, b in zip(old["identity"].to_pylist(), new["identity"].to_pylist(), strict=True)
    )


with_fields(bootstrap.fn)
