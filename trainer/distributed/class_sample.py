"""Random numbers of classes that are spread over ranks: initial weights, and the sample of an update.

Every block of consecutive classes has its own random generator, so a rank draws the numbers of its own classes without
those of all others, and a class gets the same ones on any number of ranks.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BLOCK = 4096  # classes


def random_rows(
    classes: slice, seed: tuple[int, ...], draw: Callable[[np.random.Generator, int], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Random rows for consecutive classes.

    draw(rng, n): gives the rows of n classes. seed: with the number of a block of classes, it seeds the block's rng.
    """
    rows = []
    for block in range(classes.start // BLOCK, -(-classes.stop // BLOCK)):
        first = block * BLOCK
        count = min(classes.stop - first, BLOCK)
        rows.append(draw(np.random.default_rng((*seed, block)), count)[max(classes.start - first, 0) :])
    return np.concatenate(rows)


def sample_classes(
    labels: NDArray[np.int64], owned: slice, *, classes: int, rate: float, seed: tuple[int, ...]
) -> NDArray[np.int64]:
    """The classes of `owned` in the sample of an update, in ascending order: those of `labels`, and random others.

    labels: of all photos of the update, over all ranks. All ranks together sample rate x classes, the classes of the
    labels among them, as arcface_torch does: each block has its fixed number, which only more labels exceed. So the
    sample does not depend on the number of ranks, and its size is known without asking a GPU.
    """
    present = np.unique(labels)
    parts = []
    for first in range(owned.start // BLOCK * BLOCK, owned.stop, BLOCK):
        stop = min(first + BLOCK, classes)
        here = present[np.searchsorted(present, first) : np.searchsorted(present, stop)] - first
        size = round(rate * stop) - round(rate * first)
        if len(here) < size:
            # float64: equal numbers, whose order would depend on the processor, are too rare to occur
            order = np.random.default_rng((*seed, first // BLOCK)).random(stop - first)
            order[here] = -1
            here = np.sort(np.argpartition(order, size - 1)[:size])
        parts.append(here + first)
    sampled = np.concatenate(parts)
    return sampled[np.searchsorted(sampled, owned.start) : np.searchsorted(sampled, owned.stop)]
