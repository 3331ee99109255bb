"""Verification of models on a prepared set of pairs, and the figures by which models are compared."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from flows.evaluate.by_group.group_results import limits
from flows.evaluate.embeddings import embed_test_faces, unit_rows
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.pair_sets import PreparedPairs
from flows.evaluate.results import Figure, MeasuredTestSet, Measurement
from pipeline.errors import UserError
from pipeline.faces.protocols import FaceEmbedder
from pipeline.tables.build import Workers
from pipeline.tables.columns import vectors
from trainer.evaluation.compare import compare
from trainer.evaluation.pair_set import PairSet, load_pairs, pair_cosines, without_people
from trainer.evaluation.roc import NOT_ABOVE
from trainer.evaluation.verification import Verification, verify

MIN_PASSING_IMPOSTORS = 10  # impostor pairs that a FAR must let pass, for a reliable true accept rate at it


def verify_model(
    root: str,
    embedder: FaceEmbedder,
    test: PreparedPairs,
    *,
    left_out: Collection[str] = (),
    draws: int = 1000,
    seed: int = 0,
    far_rule: str = NOT_ABOVE,
    workers: Workers = None,
) -> Verification:
    """A model's verification of a prepared set of pairs.

    left_out: people (identities) and photos (face_ids) whose pairs are left out. draws, seed: of bootstrap samples for
    the intervals. far_rule: how the threshold of a FAR is chosen (see roc.py). Raises UserError where a cosine is not a
    number or no pair is left.
    """
    pairs = selected_pairs(test, left_out)
    cosines = pair_set_cosines(root, embedder, test, pairs, workers=workers)
    try:
        return verify(cosines, pairs.same, pairs.fold, unit=pairs.unit, far_rule=far_rule, samples=draws, seed=seed)
    except UserError as error:
        raise UserError(f"{embedder.model} on {test.name}: {error}") from None


def measure_pairs(
    root: str,
    models: Mapping[str, FaceEmbedder],
    test: PreparedPairs,
    options: MeasureOptions,
    *,
    name: str,
    left_out: Collection[str] = (),
) -> Measurement:
    """The figures of each model on a prepared set of pairs; name: that of the set in the results."""
    verifications = {
        title: verify_model(
            root,
            embedder,
            test,
            left_out=left_out,
            draws=options.draws,
            seed=options.seed,
            far_rule=options.far_rule,
            workers=options.workers,
        )
        for title, embedder in models.items()
    }
    pairs = selected_pairs(test, left_out)
    test_set = MeasuredTestSet(name, str(test.folder), len(pairs.same), int(pairs.same.sum()), pairs.missing)
    return Measurement(test_set, verification_figures(name, verifications), verifications)


def selected_pairs(test: PreparedPairs, left_out: Collection[str]) -> PairSet:
    """The pairs of a prepared set, without those of the people and photos left out."""
    pairs = load_pairs(test.folder)
    return without_people(pairs, left_out) if left_out else pairs


def pair_set_cosines(
    root: str, embedder: FaceEmbedder, test: PreparedPairs, pairs: PairSet, *, workers: Workers = None
) -> NDArray[np.float32]:
    """The cosine of every pair [n] by a model, whose embeddings are a table that is built once.

    Embeddings are stored in half precision, which changes a cosine by about 1e-5.
    """
    table = embed_test_faces(root, test.faces, embedder, workers=workers)
    return pair_cosines(pairs, unit_rows(vectors(table.read(["x"])["x"])[0]))


def verification_figures(test_set: str, verifications: Mapping[str, Verification]) -> list[Figure]:
    """Each model's figures, and the differences of the first model's figures to those of every other model."""
    first, *others = verifications
    figures = [
        Figure(test_set, name, model, "", value, *limits(*v.interval[name]), _warning(name, v))
        for model, v in verifications.items()
        for name, value in v.figures.items()
    ]
    for other in others:
        differences = compare(verifications[first], verifications[other])
        figures += [
            Figure(test_set, name, first, other, d.value, *limits(d.low, d.high)) for name, d in differences.items()
        ]
    return figures


def _warning(figure: str, verification: Verification) -> str:
    """Why a true accept rate is not reliable: see few_passing()."""
    return few_passing(float(figure.partition("FAR=")[2] or "inf") * (verification.pairs - verification.genuine))


def few_passing(passing: float) -> str:
    """Why a rate is not reliable at a FAR that lets this many impostor pairs pass; "" where it is."""
    return f"{passing:.3g} impostor pairs may pass: too few to say" if passing < MIN_PASSING_IMPOSTORS else ""
