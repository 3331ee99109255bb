"""Verification: are these two faces one person? A model's answers to a set of such questions, as figures.

One threshold decides between genuine and impostor pairs: the accuracy takes it from the other folds, the true accept
rate from the false accept rate asked for; AUC and EER look at every threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.pair_set import PairSet, faces, pair_cosines
from trainer.evaluation.roc import Roc, area, equal_error, index_at_far, rank, rates, right

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Verification:
    """A model's figures on one set of pairs. `interval` and `draws` are by figure, as in `figures`."""

    pairs: int
    same: int
    accuracy: float  # mean over folds
    accuracy_sd: float  # standard deviation over folds (of n, not n - 1, as InsightFace prints it)
    auc: float
    eer: float
    tar: dict[float, float]  # by false accept rate
    cosine: dict[float, float]  # the threshold of each false accept rate
    interval: dict[str, tuple[float, float]]  # 95%
    roc: Roc = field(repr=False)
    draws: dict[str, NDArray[np.float64]] = field(repr=False)  # the figure on each drawn set [samples]
    draws_digest: str  # digest of the pairs and draws: equal for two models that can be compared

    @property
    def figures(self) -> dict[str, float]:
        """Every figure by its name."""
        rates = {f"TAR@FAR={far:g}": tar for far, tar in self.tar.items()}
        return {"accuracy": self.accuracy, **rates, "AUC": self.auc, "EER": self.eer}


def model_cosines(pairs: PairSet, embed: Embed, *, batch: int = 64) -> NDArray[np.float32]:
    """The cosine of every pair [n], -1 where a face is missing; embed: BGR faces [n, 112, 112, 3] to vectors [n, d].

    Raises UserError for a face that cannot be decoded and for vectors that are no numbers.
    """
    x: NDArray[np.float32] | None = None
    for rows, pictures in faces(pairs, batch=batch):
        vectors = embed(pictures)
        x = np.zeros((len(pairs.has_face), vectors.shape[1]), np.float32) if x is None else x
        x[rows] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return pair_cosines(pairs, x if x is not None else np.zeros((len(pairs.has_face), 1), np.float32))


def verify(
    cosine: NDArray[np.floating],
    same: Mask,
    fold: NDArray[np.integer],
    *,
    unit: NDArray[np.integer] | None = None,
    fars: Sequence[float] = FARS,
    samples: int = 1000,
    seed: int = 0,
) -> Verification:
    """The figures of pairs with these cosines [n], whether they are one person [n], and their folds [n].

    unit: [n] or [n, 2], who is drawn together (see bootstrap); None: each pair by itself. fars: rates below one of the
    different pairs are left out. samples: drawn sets for the intervals; 0: none. Raises UserError when there are no
    pairs, or only of one kind, or cosines that are no numbers.
    """
    _check(cosine, same)
    ranking = rank(cosine, same)
    roc, hit = rates(ranking), right(cosine, same, fold)
    different = len(same) - int(same.sum())
    asked = [far for far in fars if far * different >= 1 - 1e-9]
    by_fold = _by_fold(hit, fold)
    unit = np.arange(len(same)) if unit is None else unit
    drawn = [
        _figures(rates(ranking, w), _by_fold(hit, fold, w), asked)
        for w in intervals.weights(unit, samples=samples, seed=seed)
    ]
    figures = _figures(roc, by_fold, asked)
    draws = {name: np.array([d[name] for d in drawn], np.float64) for name in figures}
    return Verification(
        pairs=len(same),
        same=int(same.sum()),
        accuracy=figures["accuracy"],
        accuracy_sd=float(by_fold.std()),
        auc=figures["AUC"],
        eer=figures["EER"],
        tar={far: figures[f"TAR@FAR={far:g}"] for far in asked},
        cosine={far: float(roc.cosine[index_at_far(roc, far)]) for far in asked},
        interval={name: intervals.interval(d) for name, d in draws.items()},
        roc=roc,
        draws=draws,
        draws_digest=_digest(same, fold, unit, np.array([samples, seed])),
    )


def _figures(roc: Roc, by_fold: NDArray[np.float64], fars: Sequence[float]) -> dict[str, float]:
    names = ["accuracy", *(f"TAR@FAR={far:g}" for far in fars), "AUC", "EER"]
    if np.isnan(roc.far[-1] + roc.tar[-1]):  # a drawn set of few people may hold one kind of pairs only
        return dict.fromkeys(names, float("nan"))
    accuracy = float(by_fold[~np.isnan(by_fold)].mean())  # and leave a fold empty
    tar = [float(roc.tar[index_at_far(roc, far)]) for far in fars]
    return dict(zip(names, [accuracy, *tar, area(roc), equal_error(roc)], strict=True))


def _by_fold(hit: Mask, fold: NDArray[np.integer], weight: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The share of right answers in every fold that has pairs, with the thresholds as they are."""
    weight = np.ones(len(hit)) if weight is None else weight
    there = np.bincount(fold) > 0
    with np.errstate(invalid="ignore"):
        return np.asarray((np.bincount(fold, weight * hit) / np.bincount(fold, weight))[there])


def _check(cosine: NDArray[np.floating], same: Mask) -> None:
    if not len(same):
        raise UserError("the test set holds no pairs: give one that asks something")
    if same.all() or not same.any():
        kind = "one person" if same.all() else "two people"
        raise UserError(f"all {len(same)} pairs of the test set are of {kind}: it takes pairs of both kinds")
    if not np.isfinite(cosine).all():
        raise UserError(
            f"{(~np.isfinite(cosine)).sum()} of {len(same)} cosines are no numbers: the model gives vectors "
            "that are not finite; train it again, or give another"
        )


def _digest(*arrays: NDArray[np.generic]) -> str:
    hasher = blake2b(digest_size=10)
    for array in arrays:
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()
