"""What a model is worth on test sets, and by how much it differs from other models, each figure with its interval."""

import logging
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from flows.cli.options import NONE_GIVEN, Against, Aligned, Cache, DaskWorkers, Detector, Draws, Flip, Seed, TestSets
from flows.cli.sizes import parse_workers
from flows.evaluate import megaface_sets, pair_sets, template_sets, trillion_pairs_set, video_sets
from flows.evaluate.embeddings import embed_test_faces, unit_rows
from flows.evaluate.pair_sets import Prepared
from flows.evaluate.results import POINTS, Asked, Evaluation, Figure
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.faces.packs import find_model
from pipeline.faces.protocols import FaceEmbedder
from pipeline.refinement import latest
from pipeline.sources.test_sets import ijb, megaface_devkit, trillion_pairs, video_lists
from pipeline.tables.build import Workers
from pipeline.tables.columns import vectors
from trainer.evaluation.compare import compare
from trainer.evaluation.pair_set import PairSet, load_pairs, pair_cosines, without_people
from trainer.evaluation.roc import index_at_far
from trainer.evaluation.verification import Verification, verify

log = logging.getLogger("refinery")
# how a kind is recognised, in this order; whatever is none of the others lists pairs, or is folders of people
KINDS: dict[str, Callable[[str], bool]] = {
    "results": megaface_devkit.is_results,
    "templates": ijb.recognise,
    "trillion-pairs": trillion_pairs.recognise,
    "videos": video_lists.recognise,
    "megaface": megaface_sets.recognise,
    "pairs": lambda _path: True,
}
FEWEST = 10  # pairs of two people that may pass, below which a rate says little


class Question(NamedTuple):
    """A test set by the name it is shown under, and who of it is left out."""

    name: str
    test: Prepared
    leave_out: frozenset[str]


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="An ONNX file, an InsightFace pack, a checkpoint of `refinery train`, or a folder of --features.",
        ),
    ],
    test_set: TestSets = NONE_GIVEN,
    against: Against = NONE_GIVEN,
    cache: Cache = "evaluation",
    detector: Detector = "",
    aligned: Aligned = False,
    by_norm: Annotated[bool, typer.Option(help="In templates, weigh a face by the length of its embedding.")] = True,
    by_score: Annotated[bool, typer.Option(help="In templates, weigh a face by the detector's score.")] = True,
    flip: Flip = "none",
    without_overlap: Annotated[
        str, typer.Option(help="A refinement's ROOT: measure again without the people found in both sets.")
    ] = "",
    kind: Annotated[
        str,
        typer.Option(
            help="What the test sets are, where their files do not say: pairs, templates, videos, megaface, "
            "trillion-pairs or results."
        ),
    ] = "",
    features: Annotated[
        str,
        typer.Option(
            help="Folder to write embeddings to: MegaFace's as its development kit reads them, Trillion-Pairs' as "
            "they are submitted."
        ),
    ] = "",
    draws: Draws = 1000,
    seed: Seed = 0,
    workers: DaskWorkers = "",
) -> Evaluation:
    """Measure a model on test sets: accuracy by folds, TAR at FAR, AUC, EER, and the difference to other models.

    A --test-set is a .bin; a pairs.txt or its folder, or those of CALFW, CPLFW, CFP, AgeDB; folders of people (then all
    pairs of their photos); IJB-B or IJB-C (meta/ and loose_crop/); YouTube Faces; iQIYI-VID; MegaFace's probes and
    distractors, or a .json of its development kit's results; Trillion-Pairs' testdata_lmk.txt.
    """
    if not test_set:
        raise UserError(f"nothing to measure {model} on: give --test-set")
    many, found = parse_workers(workers), find_model(detector, "detector") if detector else ""
    given = _sorted(test_set, kind)
    stored = {Path(m).name: megaface_sets.Stored(m) for m in (model, *against) if megaface_sets.is_stored(m)}
    models = _named([m for m in (model, *against) if not megaface_sets.is_stored(m)], flip)
    _check(given, draws, features=features, detector=found, aligned=aligned, models=len(models), stored=bool(stored))
    faces: dict[str, Any] = {"detector": found, "aligned": aligned}
    drawn: dict[str, Any] = {"draws": draws, "seed": seed, "workers": many}
    told = Evaluation([], [], {}, {}, draws)
    known = _in_both(without_overlap) if without_overlap else None
    for question in _questions(cache, given["pairs"], known, workers=many, **faces):
        name, test, leave_out = question
        done = {title: measure(cache, m, test, leave_out=leave_out, **drawn) for title, m in models.items()}
        _add(told, _asked(question), _figures(name, done), done)
    for path in given["templates"]:
        of, asked = template_sets.measure(cache, models, path, norm=by_norm, detector_score=by_score, **drawn)
        _add(told, asked, of)
    for path in given["videos"]:
        seen = video_sets.measure(cache, models, path, **faces, **drawn)
        of = _figures(seen.asked.test_set, seen.verified) if seen.verified else seen.figures
        _add(told, seen.asked, of, seen.verified)
    for path in given["megaface"]:
        of, both = megaface_sets.measure(cache, {**models, **stored}, path, features=features, **faces, **drawn)
        told.figures.extend(of)
        told.test_sets.extend(both)
    for path in given["trillion-pairs"]:
        told.test_sets.append(trillion_pairs_set.write(cache, models, path, features=features, workers=many))
    for path in given["results"]:
        of = [
            Figure(Path(path).stem, k, "development kit", "", v, None, None)
            for k, v in megaface_devkit.read_results(path).items()
        ]
        _add(told, Asked(Path(path).stem, path, 0, 0, 0), of)
    return told


def _sorted(test_sets: Sequence[str], kind: str) -> dict[str, list[str]]:
    """The test sets by what they are, as given or as their files say."""
    if kind and kind not in KINDS:
        raise UserError(f"--kind {kind}: give one of {', '.join(KINDS)}")
    if len(set(test_sets)) < len(test_sets):
        raise UserError(f"a test set is given twice: {', '.join(test_sets)}")
    found: dict[str, list[str]] = {k: [] for k in KINDS}
    for path in test_sets:
        found[kind or next(k for k, is_one in KINDS.items() if is_one(path))].append(path)
    return found


def _questions(
    root: str,
    test_sets: Sequence[str],
    known: frozenset[str] | None,
    *,
    detector: str,
    aligned: bool,
    workers: Workers,
) -> Iterator[Question]:
    """The pairs of each test set; known: those about people in the training data are left out, too."""
    tests = [pair_sets.prepare(root, p, detector=detector, aligned=aligned, workers=workers) for p in test_sets]
    for name, test in zip(_distinct(test_sets, [t.name for t in tests]), tests, strict=True):
        yield Question(name, test, frozenset())
        if known is not None:
            yield Question(f"{name} without overlap", test, known)


def _add(
    told: Evaluation, asked: Asked, figures: Sequence[Figure], verified: Mapping[str, Verification] | None = None
) -> None:
    """What was asked and found; of verifications the folds' deviation and the thresholds, too."""
    told.test_sets.append(asked)
    told.figures.extend(figures)
    if verified:
        told.accuracy_sd[asked.test_set] = {title: v.accuracy_sd for title, v in verified.items()}
        told.cosines[asked.test_set] = {
            title: {f"FAR={f:g}": c for f, c in v.cosine.items()} for title, v in verified.items()
        }
        told.rocs[asked.test_set] = {title: _curve(v) for title, v in verified.items()}
    log.info("%s: measured", asked.test_set)


def _curve(found: Verification) -> list[list[float]]:
    """False and true accept rates, evenly apart in the logarithm of the first."""
    far, tar = found.roc.far, found.roc.tar
    lowest = 1 / max(1, found.pairs - found.same)
    at = np.unique([index_at_far(found.roc, rate) for rate in np.geomspace(lowest, 1, POINTS)])
    return [[round(float(v), 9) for v in far[at]], [round(float(v), 6) for v in tar[at]]]


def prepare(root: str, test_set: str, *, detector: str = "", aligned: bool = False, workers: Workers = None) -> Path:
    """The folder of a test set's pairs and aligned faces (see pair_sets), made or found."""
    return pair_sets.prepare(root, test_set, detector=detector, aligned=aligned, workers=workers).folder


def measure(
    root: str,
    embedder: FaceEmbedder,
    test: Prepared,
    *,
    leave_out: Collection[str] = (),
    draws: int = 1000,
    seed: int = 0,
    workers: Workers = None,
) -> Verification:
    """A model's verification of a prepared test set.

    leave_out: people and photos (identities and face_ids) whose pairs are not asked.
    """
    pairs = load_pairs(test.folder)
    pairs = without_people(pairs, leave_out) if leave_out else pairs
    cosine = cosines(root, embedder, test, pairs, workers=workers)
    try:
        return verify(cosine, pairs.same, pairs.fold, unit=pairs.unit, samples=draws, seed=seed)
    except UserError as error:
        raise UserError(f"{embedder.model} on {test.name}: {error}") from None


def cosines(
    root: str, embedder: FaceEmbedder, test: Prepared, pairs: PairSet, *, workers: Workers = None
) -> NDArray[np.float32]:
    """The cosine of every pair [n]; the vectors are a table like any other, made once.

    They are kept in half precision, which moves a cosine by some 1e-5.
    """
    table = embed_test_faces(root, test.faces, embedder, workers=workers)
    return pair_cosines(pairs, unit_rows(vectors(table.read(["x"])["x"])[0]))


def _check(
    given: Mapping[str, Sequence[str]],
    draws: int,
    *,
    features: str,
    detector: str,
    aligned: bool,
    models: int,
    stored: bool,
) -> None:
    """What is wrong with what was given is told before any photo is looked at."""
    if draws < 0:
        raise UserError(f"--draws {draws}: give 0 or more")
    if given["trillion-pairs"] and not features:
        raise UserError(
            f"whom the photos of {given['trillion-pairs'][0]} show was never published: give --features, "
            "a folder for the file of vectors that is handed in"
        )
    if stored and any(given[k] for k in ("pairs", "templates", "videos", "trillion-pairs")):
        raise UserError("a folder of --features holds vectors of MegaFace's photos: with it, give MegaFace only")
    for path in given["pairs"]:
        pair_sets.check(path, detector=detector, aligned=aligned)
    for path in given["videos"]:
        video_sets.check(path, detector=detector, aligned=aligned)
    if given["megaface"] and models and not (detector or aligned):
        raise UserError(
            f"{given['megaface'][0]} holds photos that are not aligned: give --detector, or --aligned if they are"
        )


def _named(models: Sequence[str], flip: str) -> dict[str, FaceEmbedder]:
    if len(set(models)) < len(models):
        raise UserError(f"a model is given twice: {', '.join(models)}")
    titles = _distinct(models, [Path(m).stem for m in models])
    return {title: load_embedder(m, flip) for title, m in zip(titles, models, strict=True)}


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
    pairs = without_people(pairs, leave_out) if leave_out else pairs
    return Asked(name, str(test.folder), len(pairs.same), int(pairs.same.sum()), pairs.missing)


def _in_both(root: str) -> frozenset[str]:
    """Who of a refinement's test sets is in its training data: identities and, of unnamed photos, face_ids."""
    done = latest(root)
    if not done.test_faces:
        raise UserError(
            f"{root} was refined without a test set, so nobody looked for who is in both: refine it with --test-set"
        )
    found = done.judged_findings.read(["kind", "object"]).to_pylist()
    verdicts = done.decisions.read(["verdict"])["verdict"].to_pylist()
    return frozenset(
        str(f["object"]) for f, v in zip(found, verdicts, strict=True) if f["kind"] == "overlap" and v == "yes"
    )
