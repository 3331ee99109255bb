"""Verification: a model's figures on a test set of genuine and impostor pairs.

A pair is accepted when its cosine is at least a threshold. The accuracy of a fold uses the best threshold of the other
folds, TAR at FAR the threshold of that FAR; AUC and EER use every threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.finite_vectors import check_finite
from trainer.evaluation.pair_set import PairSet, pair_cosines, read_faces
from trainer.evaluation.roc import (
    NOT_ABOVE,
    Roc,
    area_under_curve,
    correct_pairs,
    equal_error_rate,
    index_at_far,
    rank_pairs,
    roc_curve,
)

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Verification:
    """A model's figures on one set of pairs. `interval` and `bootstrap_figures` have the keys of `figures`."""

    pairs: int
    genuine: int  # number of genuine pairs
    accuracy: float  # mean over folds
    accuracy_sd: float  # standard deviation over folds (divided by n, not n - 1, as InsightFace prints it)
    auc: float
    eer: float
    tar: dict[float, float]  # true accept rate by false accept rate
    cosine: dict[float, float]  # threshold by false accept rate
    interval: dict[str, tuple[float, float]]  # 95%
    roc: Roc = field(repr=False)
    bootstrap_figures: dict[str, Floats] = field(repr=False)  # each figure on every bootstrap sample [samples]
    samples_digest: str  # of the pairs and bootstrap samples: equal for two models that can be compared

    @property
    def figures(self) -> dict[str, float]:
        """Every figure by its name."""
        rates = {f"TAR@FAR={far:g}": tar for far, tar in self.tar.items()}
        return {"accuracy": self.accuracy, **rates, "AUC": self.auc, "EER": self.eer}


def model_cosines(pairs: PairSet, embed: Embed, *, batch: int = 64) -> NDArray[np.float32]:
    """The cosine of every pair [n] of a test set by a model; -1 when a photo of the pair has no face.

    embed: the model, from BGR faces [k, 112, 112, 3] to embeddings [k, d] of any norm. batch: faces of one call. Raises
    UserError for a face that cannot be decoded, and for embeddings that are not finite.
    """
    x: NDArray[np.float32] | None = None
    for rows, faces in read_faces(pairs, batch=batch):
        vectors = embed(faces)
        x = np.zeros((len(pairs.has_face), vectors.shape[1]), np.float32) if x is None else x
        check_finite(vectors, f"embeddings of a batch of {pairs.folder.name}")
        x[rows] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return pair_cosines(pairs, x if x is not None else np.zeros((len(pairs.has_face), 1), np.float32))


def verify(
    cosine: NDArray[np.floating],
    same: Mask,
    fold: NDArray[np.integer],
    *,
    unit: NDArray[np.integer] | None = None,
    fars: Sequence[float] = FARS,
    far_rule: str = NOT_ABOVE,
    samples: int = 1000,
    seed: int = 0,
) -> Verification:
    """The figures of pairs with these cosines [n]; same [n]: which are genuine; fold [n]: the fold of each.

    unit: the numbers of a pair's one or two persons, [n] or [n, 2], for bootstrap samples (see intervals.py); None: a
    sample draws pairs and not persons. fars: false accept rates; those that allow less than one impostor pair are left
    out. far_rule: how their thresholds are chosen (see roc.py). samples: number of bootstrap samples for the intervals,
    0 for no intervals. Raises UserError when there are no genuine or no impostor pairs, and for cosines that are not
    finite.
    """
    _check(cosine, same)
    ranking = rank_pairs(cosine, same)
    roc, correct = roc_curve(ranking), correct_pairs(cosine, same, fold)
    impostors = len(same) - int(same.sum())
    fars = [far for far in fars if far * impostors >= 1 - 1e-9]
    by_fold = _by_fold(correct, fold)
    unit = np.arange(len(same)) if unit is None else unit
    sampled = [
        _figures(roc_curve(ranking, w), _by_fold(correct, fold, w), fars, far_rule)
        for w in intervals.bootstrap_weights(unit, samples=samples, seed=seed)
    ]
    figures = _figures(roc, by_fold, fars, far_rule)
    bootstrap_figures = {name: np.array([s[name] for s in sampled], np.float64) for name in figures}
    return Verification(
        pairs=len(same),
        genuine=int(same.sum()),
        accuracy=figures["accuracy"],
        accuracy_sd=float(by_fold.std()),
        auc=figures["AUC"],
        eer=figures["EER"],
        tar={far: figures[f"TAR@FAR={far:g}"] for far in fars},
        cosine={far: float(roc.cosine[index_at_far(roc, far, far_rule)]) for far in fars},
        interval={name: intervals.interval(values) for name, values in bootstrap_figures.items()},
        roc=roc,
        bootstrap_figures=bootstrap_figures,
        samples_digest=_digest(same, fold, unit, np.array([samples, seed])),
    )


def _figures(roc: Roc, by_fold: Floats, fars: Sequence[float], far_rule: str) -> dict[str, float]:
    names = ["accuracy", *(f"TAR@FAR={far:g}" for far in fars), "AUC", "EER"]
    if np.isnan(roc.far[-1] + roc.tar[-1]):  # a sample of few people may hold only genuine or only impostor pairs
        return dict.fromkeys(names, float("nan"))
    accuracy = float(by_fold[~np.isnan(by_fold)].mean())  # nan: a sample of few people may hold no pair of a fold
    tar = [float(roc.tar[index_at_far(roc, far, far_rule)]) for far in fars]
    return dict(zip(names, [accuracy, *tar, area_under_curve(roc), equal_error_rate(roc)], strict=True))


def _by_fold(correct: Mask, fold: NDArray[np.integer], weight: Floats | None = None) -> Floats:
    """The share of correct pairs in every fold; weight [n]: how often each pair counts, None for once."""
    weight = np.ones(len(correct)) if weight is None else weight
    has_pairs = np.bincount(fold) > 0
    with np.errstate(invalid="ignore"):
        return np.asarray((np.bincount(fold, weight * correct) / np.bincount(fold, weight))[has_pairs])


def _check(cosine: NDArray[np.floating], same: Mask) -> None:
    if not len(same):
        raise UserError("the test set holds no pairs: give one that lists some")
    if same.all() or not same.any():
        kind = "genuine" if same.all() else "impostor"
        raise UserError(f"all {len(same)} pairs of the test set are {kind} pairs: give one with pairs of both kinds")
    if not np.isfinite(cosine).all():
        raise UserError(
            f"{(~np.isfinite(cosine)).sum()} of {len(same)} cosines are not finite, because the model gives embeddings "
            "that are not finite: train it again, or give another model"
        )


def _digest(*arrays: NDArray[np.generic]) -> str:
    hasher = blake2b(digest_size=10)
    for array in arrays:
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()
