"""The shuffled order in which a training reads the photos: an endless stream that depends on the seed alone.

The chunks of an epoch are shuffled. The next chunks in this order are held in memory together, as a window, and the
photos of a window are shuffled; so the disk is read in long pieces. A checkpoint stores only how many photos of the
stream were trained on; the stream continues from there.
"""

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import numpy as np

from trainer.data.chunk import IntArray

BUFFER = 32_768  # photos of a window: about 250 MB, and as much again while the next window is read


class Window(NamedTuple):
    """The numbers of the chunks [c] of a window, and the order of its photos [n, 2].

    A photo is given by its chunk, as an index into `chunks`, and by its row in the chunk.
    """

    chunks: IntArray
    order: IntArray


class Grouping(NamedTuple):
    """Asks for an order with groups of up to `photos` photos of a person one after the other, as triplet losses need.

    labels [n]: the label of every photo, chunk by chunk.
    """

    labels: IntArray
    photos: int


def shuffled_windows(
    chunk_sizes: IntArray, *, seed: int, skip: int = 0, buffer: int = BUFFER, grouping: Grouping | None = None
) -> Iterator[Window]:
    """The windows of an endless stream of photos, epoch after epoch.

    chunk_sizes: the number of photos in each chunk. skip: how many photos at the start of the stream are left out.
    buffer: photos of a window, exceeded by at most one chunk.
    """
    first_photo = np.cumsum(chunk_sizes) - chunk_sizes  # of each chunk
    first_epoch, skip = divmod(skip, int(chunk_sizes.sum()))
    for epoch in count(first_epoch):
        order = np.random.default_rng([seed, epoch]).permutation(len(chunk_sizes))
        borders = np.searchsorted(np.cumsum(chunk_sizes[order]), np.arange(buffer, int(chunk_sizes.sum()), buffer))
        for window, chunks in enumerate(np.split(order, np.unique(borders + 1))):
            photos = _photos_of_chunks(chunks, chunk_sizes)
            left_out = max(0, skip)
            skip -= len(photos)
            if left_out < len(photos):
                rng = np.random.default_rng([seed, epoch, window])
                if grouping:
                    label = grouping.labels[first_photo[chunks][photos[:, 0]] + photos[:, 1]]
                    photos = photos[_grouped_order(label, grouping.photos, rng)]
                else:
                    photos = rng.permutation(photos)
                yield Window(chunks, photos[left_out:])
        skip = 0


def _photos_of_chunks(chunks: IntArray, chunk_sizes: IntArray) -> IntArray:
    """All photos of these chunks [n, 2]: each photo's index into `chunks` and its row in the chunk."""
    if not len(chunks):
        return np.zeros((0, 2), np.int64)
    return np.concatenate(
        [np.stack(np.broadcast_arrays(i, np.arange(chunk_sizes[c])), 1) for i, c in enumerate(chunks)]
    )


def _grouped_order(label: IntArray, photos: int, rng: np.random.Generator) -> IntArray:
    """A random order [n] of groups of up to `photos` photos with one label; the photos of a group stay together."""
    order = rng.permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    ordered = label[order]
    number = np.arange(len(label)) - np.searchsorted(ordered, ordered)  # 0, 1, 2... among the photos of a label
    group = np.cumsum(number % photos == 0) - 1
    return order[np.argsort(rng.permutation(len(label))[group], kind="stable")]
