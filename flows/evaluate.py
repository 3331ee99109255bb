"""What a model is worth on test sets, and by how much it differs from other models, each figure with its interval."""

import logging
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from flows import pair_sets, template_sets, videos
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
from pipeline.refined.latest import findings_of, latest
from pipeline.sources import ijb, video_lists
from trainer.evaluation.compare import compare
from trainer.evaluation.pair_set import between, load_pairs, without
from trainer.evaluation.verification import Verification, verify

if TYPE_CHECKING:
    from trainer.embedder import Embedder as Trained

log = logging.getLogger("refinery")
FEWEST = 10  # pairs of two people that may pass, below which a rate says little


class Question(NamedTuple):
    """A test set by the name it is shown under, and who of it is left out."""

    name: str
    test: Prepared
    leave_out: frozenset[str]


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, an InsightFace pack, or a checkpoint.")],
    test_set: Annotated[
        list[str],
        typer.Argument(
            metavar="TEST_SET...",
            help="A .bin; a pairs.txt or its folder, or those of CALFW, CPLFW, CFP; folders of people (then all pairs "
            "of their photos); IJB-B or IJB-C (meta/ and loose_crop/); YouTube Faces; iQIYI-VID.",
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
    by_norm: Annotated[bool, typer.Option(help="In templates a face weighs by its vector's length.")] = True,
    by_score: Annotated[bool, typer.Option(help="In templates a face weighs by the detector's score.")] = True,
    flip: Annotated[str, typer.Option(help="The mirrored face's vector: none, add or concatenate.")] = "none",
    without_overlap: Annotated[
        str, typer.Option(help="A refinement's root: measure without the people it found in both sets, too.")
    ] = "",
    draws: Annotated[int, typer.Option(help="Test sets drawn for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    workers: Annotated[str, typer.Option(help="Processes, or the address of a Dask scheduler; default: threads.")] = "",
) -> Evaluation:
    """Measure a model on test sets: accuracy by folds, TAR at FAR, AUC, EER, and the difference to other models."""
    many, found = parse_workers(workers), find_model(detector, "detector") if detector else ""
    models = _named([model, *against], flip)
    ijbs = [path for path in test_set if ijb.recognise(path)]
    clips = [path for path in test_set if video_lists.recognise(path)]
    test_set = [path for path in test_set if path not in ijbs and path not in clips]
    _check(test_set, draws, detector=found, aligned=aligned)
    for path in clips:
        videos.check(path, detector=found, aligned=aligned)
    known = _in_both(without_overlap) if without_overlap else frozenset()
    tests = [pair_sets.prepare(root, path, detector=found, aligned=aligned, workers=many) for path in test_set]
    asked = []
    for name, test in zip(_distinct(test_set, [t.name for t in tests]), tests, strict=True):
        asked.append(Question(name, test, frozenset()))
        if without_overlap:
            asked.append(Question(f"{name} without overlap", test, known))
    figures: list[Figure] = []
    spread: dict[str, dict[str, float]] = {}
    cosines: dict[str, dict[str, dict[str, float]]] = {}
    for name, test, leave_out in asked:
        done = {}
        for title, embedder in models.items():
            done[title] = measure(root, embedder, test, leave_out=leave_out, draws=draws, seed=seed, workers=many)
            log.info("%s: %s verified", name, title)
        figures += _figures(name, done)
        _told(name, done, spread, cosines)
    shown = [_asked(q) for q in asked]
    for path in ijbs:
        of, what = template_sets.measure(root, models, path, norm=by_norm, detector_score=by_score, draws=draws,
                                         seed=seed, workers=many)  # fmt: skip
        figures += of
        shown.append(what)
    for path in clips:
        seen = videos.measure(root, models, path, detector=found, aligned=aligned, draws=draws, seed=seed, workers=many)
        figures += seen.figures
        if seen.verified:
            figures += _figures(seen.asked.test_set, seen.verified)
            _told(seen.asked.test_set, seen.verified, spread, cosines)
        shown.append(seen.asked)
    return Evaluation(shown, figures, spread, cosines, draws)


def _told(
    name: str,
    done: dict[str, Verification],
    spread: dict[str, dict[str, float]],
    cosines: dict[str, dict[str, dict[str, float]]],
) -> None:
    """What is shown of verifications beside their figures: the folds' deviation, and the thresholds."""
    spread[name] = {title: v.accuracy_sd for title, v in done.items()}
    cosines[name] = {title: {f"FAR={f:g}": c for f, c in v.cosine.items()} for title, v in done.items()}


def prepare(root: str, test_set: str, *, detector: str = "", aligned: bool = False, workers: Workers = None) -> Path:
    """The folder of a test set's pairs and aligned faces (see pair_sets), made or found."""
    return pair_sets.prepare(root, test_set, detector=detector, aligned=aligned, workers=workers).folder


def measure(
    root: str,
    embedder: "Embedder | Trained",
    test: Prepared,
    *,
    leave_out: Collection[str] = (),
    draws: int = 1000,
    seed: int = 0,
    workers: Workers = None,
) -> Verification:
    """A model's verification of a prepared test set; its vectors are a table like any other, made once.

    They are kept in half precision, which moves a cosine by some 1e-5. leave_out: people and photos (identities and
    face_ids) whose pairs are not asked.
    """
    batch = 128 if is_checkpoint(embedder.model) else BATCH
    table = stage(build, name="embeddings")(
        root, "embeddings", embed_shard, test.faces.shards, schema=schema.embeddings(embedder.dim), embedder=embedder,
        workers=workers, carry={"root": root, "batch": batch},
    )  # fmt: skip
    x = vectors(table.read(["x"])["x"])[0].astype(np.float32)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    pairs = load_pairs(test.folder)
    pairs = without(pairs, leave_out) if leave_out else pairs
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
        Figure(test, name, title, "", value, *_limits(*v.interval[name]), _few(name, v))
        for title, v in done.items()
        for name, value in v.figures.items()
    ]
    for other in others:
        apart = compare(done[first], done[other])
        found += [Figure(test, name, first, other, d.value, *_limits(d.low, d.high)) for name, d in apart.items()]
    return found


def _limits(low: float, high: float) -> tuple[float | None, float | None]:
    return (None, None) if math.isnan(low) else (low, high)


def _few(figure: str, found: Verification) -> str:
    """What to hold against a true accept rate: that hardly any pair of two people may pass at its rate."""
    passing = float(figure.partition("FAR=")[2] or "inf") * (found.pairs - found.same)
    return f"{passing:.3g} of the pairs of two people may pass: too few to say" if passing < FEWEST else ""


def _asked(question: Question) -> Asked:
    name, test, leave_out = question
    pairs = load_pairs(test.folder)
    pairs = without(pairs, leave_out) if leave_out else pairs
    return Asked(name, str(test.folder), len(pairs.same), int(pairs.same.sum()), pairs.missing)


def _in_both(root: str) -> frozenset[str]:
    """Who of a refinement's test sets is in its training data: identities and, of unnamed photos, face_ids."""
    done = latest(root)
    if not any(role.startswith("test_faces_") for role in done.tables):
        raise UserError(f"{root} was refined without a test set, so nobody looked for who is in both: refine it with "
                        "--test-set")  # fmt: skip
    found = findings_of(done).read(["kind", "object"]).to_pylist()
    verdicts = done.tables["decisions"].read(["verdict"])["verdict"].to_pylist()
    return frozenset(str(f["object"]) for f, v in zip(found, verdicts, strict=True)
                     if f["kind"] == "overlap" and v == "yes")  # fmt: skip
