"""What a model is worth on test sets, and by how much it differs from other models, each figure with its interval."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from flows import pair_sets
from flows.figures import Asked, Evaluation, Figure
from flows.models import embedder_of, is_checkpoint
from flows.pair_sets import Prepared
from flows.refine import stage
from flows.take import parse_workers
from pipeline import schema
from pipeline.build import Workers, build
from pipeline.errors import UserError
from pipeline.faces.embed import BATCH, Embedder, embed_shard
from pipeline.faces.packs import find_model
from pipeline.noise.columns import vectors
from trainer.evaluation.compare import compare
from trainer.evaluation.pair_set import between, load_pairs
from trainer.evaluation.verification import Verification, verify

if TYPE_CHECKING:
    from trainer.embedder import Embedder as Trained

log = logging.getLogger("refinery")


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, an InsightFace pack, or a checkpoint.")],
    test_set: Annotated[
        list[str],
        typer.Argument(
            metavar="TEST_SET...",
            help="A .bin, a pairs.txt or its folder, or folders of people (then all pairs of their photos).",
        ),
    ],
    against: Annotated[
        list[str], typer.Option(help="Another model to compare with, on the same pairs; may be given several times.")
    ] = [],  # noqa: B006  never changed; the command line reads it
    root: Annotated[
        str, typer.Option(help="Where aligned faces and vectors are kept; a refinement's own root will do.")
    ] = "evaluation",
    detector: Annotated[str, typer.Option(help="As for refine; needed unless the photos are aligned.")] = "",
    aligned: Annotated[bool, typer.Option("--aligned", help="The photos are aligned crops already.")] = False,
    flip: Annotated[str, typer.Option(help="The mirrored face's vector: none, add or concatenate.")] = "none",
    draws: Annotated[int, typer.Option(help="Test sets drawn for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    workers: Annotated[str, typer.Option(help="Processes, or the address of a Dask scheduler; default: threads.")] = "",
) -> Evaluation:
    """Measure a model on test sets: accuracy by folds, TAR at FAR, AUC, EER, and the difference to other models."""
    many, found = parse_workers(workers), find_model(detector, "detector") if detector else ""
    models = _named([model, *against], flip)
    _check(test_set, draws, detector=found, aligned=aligned)
    tests = [pair_sets.prepare(root, path, detector=found, aligned=aligned, workers=many) for path in test_set]
    figures, spread, cosines = [], {}, {}
    for name, test in zip(_distinct(test_set, [t.name for t in tests]), tests, strict=True):
        done = {}
        for title, embedder in models.items():
            done[title] = measure(root, embedder, test, draws=draws, seed=seed, workers=many)
            log.info("%s: %s verified", name, title)
        figures += _figures(name, done)
        spread[name] = {title: v.accuracy_sd for title, v in done.items()}
        cosines[name] = {title: {f"FAR={f:g}": c for f, c in v.cosine.items()} for title, v in done.items()}
    return Evaluation([_asked(*t) for t in zip(spread, tests, strict=True)], figures, spread, cosines, draws)


def prepare(root: str, test_set: str, *, detector: str = "", aligned: bool = False, workers: Workers = None) -> Path:
    """The folder of a test set's pairs and aligned faces (see pair_sets), made or found."""
    return pair_sets.prepare(root, test_set, detector=detector, aligned=aligned, workers=workers).folder


def measure(
    root: str,
    embedder: "Embedder | Trained",
    test: Prepared,
    *,
    draws: int = 1000,
    seed: int = 0,
    workers: Workers = None,
) -> Verification:
    """A model's verification of a prepared test set; its vectors are a table like any other, made once.

    They are kept in half precision, which moves a cosine by some 1e-5.
    """
    batch = 128 if is_checkpoint(embedder.model) else BATCH
    table = stage(build, name="embeddings")(
        root, "embeddings", embed_shard, test.faces.shards, schema=schema.embeddings(embedder.dim), embedder=embedder,
        workers=workers, carry={"root": root, "batch": batch},
    )  # fmt: skip
    x = vectors(table.read(["x"])["x"])[0].astype(np.float32)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    pairs = load_pairs(test.folder)
    try:
        return verify(between(pairs, x), pairs.same, pairs.fold, unit=pairs.unit, samples=draws, seed=seed)
    except UserError as error:
        raise UserError(f"{embedder.model} on {test.name}: {error}") from None


def _check(test_sets: Sequence[str], draws: int, *, detector: str, aligned: bool) -> None:
    """What is wrong with what was given is told before any photo is looked at."""
    if draws < 0:
        raise UserError(f"--draws {draws}: give 0 or more")
    if len(set(test_sets)) < len(test_sets):
        raise UserError(f"a test set is given twice: {', '.join(test_sets)}")
    for path in test_sets:
        pair_sets.check(path, detector=detector, aligned=aligned)


def _named(models: Sequence[str], flip: str) -> "dict[str, Embedder | Trained]":
    if len(set(models)) < len(models):
        raise UserError(f"a model is given twice: {', '.join(models)}")
    titles = _distinct(models, [Path(m).stem for m in models])
    return {title: embedder_of(m, flip) for title, m in zip(titles, models, strict=True)}


def _distinct(paths: Sequence[str], names: Sequence[str]) -> list[str]:
    """Short names, or paths where two things are called the same."""
    return [name if list(names).count(name) == 1 else path for path, name in zip(paths, names, strict=True)]


def _figures(test: str, done: dict[str, Verification]) -> list[Figure]:
    """Each model's own figures, and how much more each of the first's is than every other model's."""
    first, *others = done
    found = [
        Figure(test, name, title, "", value, *_limits(*v.interval[name]))
        for title, v in done.items()
        for name, value in v.figures.items()
    ]
    for other in others:
        apart = compare(done[first], done[other])
        found += [Figure(test, name, first, other, d.value, *_limits(d.low, d.high)) for name, d in apart.items()]
    return found


def _limits(low: float, high: float) -> tuple[float | None, float | None]:
    return (None, None) if math.isnan(low) else (low, high)


def _asked(name: str, test: Prepared) -> Asked:
    pairs = load_pairs(test.folder)
    return Asked(name, str(test.folder), len(pairs.same), int(pairs.same.sum()), pairs.missing)
