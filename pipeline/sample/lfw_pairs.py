"""The pairs of a drawn test set, in the form of LFW's pairs.txt: ten folds, half of the pairs of one person."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

FOLDS, MAX_PAIRS = 10, 60  # folds, and pairs of each kind in a fold, as in LFW's smaller lists
PHOTOS_EACH = 8


def pairs_file(seed: int, names: Sequence[str], photos_each: int = PHOTOS_EACH) -> str:
    """The text of a pairs.txt about people with photos_each photos each; no person is in two folds.

    There are fewer folds where there are not two people for each, and fewer pairs where people have few photos.
    """
    rng = np.random.default_rng([51, seed])
    order = [names[i] for i in rng.permutation(len(names))]
    folds = [order[i::FOLDS] for i in range(FOLDS)] if len(order) >= 2 * FOLDS else _folds_of_two(order)
    genuine = [[(n, a, n, b) for n in fold for a, b in combinations(range(1, photos_each + 1), 2)] for fold in folds]
    each = min(
        MAX_PAIRS, min(len(pairs) for pairs in genuine), min(_max_impostor_pairs(fold, photos_each) for fold in folds)
    )
    lines = [f"{len(folds)}\t{each}"]
    for fold, pairs in zip(folds, genuine, strict=True):
        chosen = sorted(rng.choice(len(pairs), each, replace=False).tolist())
        lines += [f"{pairs[i][0]}\t{pairs[i][1]}\t{pairs[i][3]}" for i in chosen]
        impostor: set[tuple[str, int, str, int]] = set()
        while len(impostor) < each:
            a, b = sorted(str(n) for n in rng.choice(fold, 2, replace=False))
            impostor.add((a, int(rng.integers(photos_each)) + 1, b, int(rng.integers(photos_each)) + 1))
        lines += ["\t".join(map(str, pair)) for pair in sorted(impostor)]
    return "\n".join(lines) + "\n"


def _folds_of_two(order: list[str]) -> list[list[str]]:
    folds = max(1, len(order) // 2)
    return [order[i::folds] for i in range(folds)]


def _max_impostor_pairs(fold: Sequence[str], photos_each: int) -> int:
    """Half of all impostor pairs of a fold, so that drawing distinct ones at random ends soon."""
    return max(1, len(fold) * (len(fold) - 1) // 2 * photos_each**2 // 2)
