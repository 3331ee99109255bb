"""The shuffled order of the photos: an endless stream of windows that depends on the seed alone.

Chunks are shuffled, some are held in memory together (a window), and a window's photos are shuffled among each other;
so the disk is read in long pieces. The number of photos seen is a place in this order, and all that a checkpoint has to
keep of it.
"""

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import numpy as np

from trainer.data.chunk import Int

BUFFER = 32_768  # photos of a window: about 250 MB, twice while the next window is read


class Window(NamedTuple):
    """Chunks [c] that are in memory together, and the order of their photos: (which of the c, row) [n, 2]."""

    chunks: Int
    order: Int


class Grouping(NamedTuple):
    """Up to `photos` of a person follow one another, as triplet losses need; labels [n]: of all photos in chunks."""

    labels: Int
    photos: int


def shuffled_windows(
    rows: Int, *, seed: int, seen: int = 0, buffer: int = BUFFER, grouping: Grouping | None = None
) -> Iterator[Window]:
    """The windows of an endless stream over chunks of `rows` photos each, epoch after epoch.

    seen: photos of the stream to leave out at the start. buffer: photos of a window, exceeded by at most a chunk.
    """
    first = np.cumsum(rows) - rows
    epoch, skip = divmod(seen, int(rows.sum()))
    for e in count(epoch):
        order = np.random.default_rng([seed, e]).permutation(len(rows))
        borders = np.searchsorted(np.cumsum(rows[order]), np.arange(buffer, int(rows.sum()), buffer))
        for w, chunks in enumerate(np.split(order, np.unique(borders + 1))):
            photos = _photos(chunks, rows)
            left_out = max(0, skip)
            skip -= len(photos)
            if left_out < len(photos):
                rng = np.random.default_rng([seed, e, w])
                if grouping:
                    label = grouping.labels[first[chunks][photos[:, 0]] + photos[:, 1]]
                    photos = photos[_grouped_order(label, grouping.photos, rng)]
                else:
                    photos = rng.permutation(photos)
                yield Window(chunks, photos[left_out:])
        skip = 0


def _photos(chunks: Int, rows: Int) -> Int:
    """All photos of some chunks: (which of the chunks, row) [n, 2]."""
    if not len(chunks):
        return np.zeros((0, 2), np.int64)
    return np.concatenate([np.stack(np.broadcast_arrays(i, np.arange(rows[c])), 1) for i, c in enumerate(chunks)])


def _grouped_order(label: Int, photos: int, rng: np.random.Generator) -> Int:
    """An order [n] in which up to so many photos of a person follow one another, and these groups are shuffled."""
    order = rng.permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    ordered = label[order]
    number = np.arange(len(label)) - np.searchsorted(ordered, ordered)  # of a photo among its person's
    group = np.cumsum(number % photos == 0) - 1
    return order[np.argsort(rng.permutation(len(label))[group], kind="stable")]
