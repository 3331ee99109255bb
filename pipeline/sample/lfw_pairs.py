"""The pairs of a drawn test set, in the form of LFW's pairs.txt: ten folds, half of the pairs genuine."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

FOLDS = 10
MAX_PAIRS = 60  # genuine pairs in a fold, and as many impostor pairs
PHOTOS_EACH = 8  # photos of each person


def pairs_txt(seed: int, names: Sequence[str], photos_each: int = PHOTOS_EACH) -> str:
    """The text of a pairs.txt for people with photos_each photos each; no person is in two folds.

    There are fewer folds when there are fewer than two people for each fold, and fewer pairs when people have few
    photos.
    """
    rng = np.random.default_rng([51, seed])
    order = [names[i] for i in rng.permutation(len(names))]
    folds = [order[i::FOLDS] for i in range(FOLDS)] if len(order) >= 2 * FOLDS else _small_folds(order)
    genuine = [[(n, a, n, b) for n in fold for a, b in combinations(range(1, photos_each + 1), 2)] for fold in folds]
    pairs_of_kind = min(
        MAX_PAIRS, min(len(pairs) for pairs in genuine), min(_max_impostor_pairs(fold, photos_each) for fold in folds)
    )
    lines = [f"{len(folds)}\t{pairs_of_kind}"]
    for fold, pairs in zip(folds, genuine, strict=True):
        chosen = sorted(rng.choice(len(pairs), pairs_of_kind, replace=False).tolist())
        lines += [f"{pairs[i][0]}\t{pairs[i][1]}\t{pairs[i][3]}" for i in chosen]
        impostor: set[tuple[str, int, str, int]] = set()
        while len(impostor) < pairs_of_kind:
            a, b = sorted(str(n) for n in rng.choice(fold, 2, replace=False))
            impostor.add((a, int(rng.integers(photos_each)) + 1, b, int(rng.integers(photos_each)) + 1))
        lines += ["\t".join(map(str, pair)) for pair in sorted(impostor)]
    return "\n".join(lines) + "\n"


def _small_folds(order: list[str]) -> list[list[str]]:
    """Folds of two or three people, where there are too few people for FOLDS."""
    folds = max(1, len(order) // 2)
    return [order[i::folds] for i in range(folds)]


def _max_impostor_pairs(fold: Sequence[str], photos_each: int) -> int:
    """Half of all impostor pairs of a fold, so that drawing distinct ones at random ends soon."""
    return max(1, len(fold) * (len(fold) - 1) // 2 * photos_each**2 // 2)
