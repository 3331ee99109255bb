"""The questions of a test set, as LFW's pairs.txt asks them: ten folds of pairs, half of them of one person."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

FOLDS, MOST = 10, 60  # folds, and pairs of each kind in a fold, as in LFW's smaller lists
PHOTOS_EACH = 8


def pairs_file(seed: int, names: Sequence[str], photos_each: int = PHOTOS_EACH) -> str:
    """The text of a pairs.txt over people with so many photos each; no person is asked about in two folds.

    Fewer folds when there are not two people for each, fewer pairs when people have few photos.
    """
    rng = np.random.default_rng([51, seed])
    order = [names[i] for i in rng.permutation(len(names))]
    folds = [order[i::FOLDS] for i in range(FOLDS)] if len(order) >= 2 * FOLDS else _by_twos(order)
    same = [[(n, a, n, b) for n in fold for a, b in combinations(range(1, photos_each + 1), 2)] for fold in folds]
    each = min(MOST, min(len(s) for s in same), min(_different(fold, photos_each) for fold in folds))
    lines = [f"{len(folds)}\t{each}"]
    for fold, one in zip(folds, same, strict=True):
        chosen = sorted(rng.choice(len(one), each, replace=False).tolist())
        lines += [f"{one[i][0]}\t{one[i][1]}\t{one[i][3]}" for i in chosen]
        asked: set[tuple[str, int, str, int]] = set()
        while len(asked) < each:
            a, b = sorted(str(n) for n in rng.choice(fold, 2, replace=False))
            asked.add((a, int(rng.integers(photos_each)) + 1, b, int(rng.integers(photos_each)) + 1))
        lines += ["\t".join(map(str, question)) for question in sorted(asked)]
    return "\n".join(lines) + "\n"


def _by_twos(order: list[str]) -> list[list[str]]:
    folds = max(1, len(order) // 2)
    return [order[i::folds] for i in range(folds)]


def _different(fold: Sequence[str], photos_each: int) -> int:
    """Half of the pairs of different people there are, so that drawing them at random ends soon."""
    return max(1, len(fold) * (len(fold) - 1) // 2 * photos_each**2 // 2)
