"""The time and the memory of matching very many photos with those of a copy, whose hashes are drawn at random."""

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.benchmark.speed.measured_process import PeakMemory
from pipeline.refined.patches.indexed_photos import IndexedPhotos, Words
from pipeline.refined.patches.match_photos import match_photos

PHOTOS_OF_IDENTITY, CHANGED_BITS = 20, 2


class DrawnMatches(NamedTuple):
    """What matching so many drawn photos took. bytes_a_photo: at most at one time, of the photos of one copy."""

    photos: int
    right: int
    cpu_seconds: float
    bytes_a_photo: float

    def line(self) -> str:
        """The figures as text."""
        return (
            f"{self.photos} drawn photos, {CHANGED_BITS} bits of each hash changed in the copy: {self.right} matched "
            f"right, {self.cpu_seconds:.1f} CPU seconds, {self.bytes_a_photo:.0f} bytes a photo"
        )


def match_drawn_photos(photos: int) -> DrawnMatches:
    """Match so many drawn photos, by their hashes alone, with a copy that has them in another order."""
    rng = np.random.default_rng([91, photos])
    with PeakMemory() as before:
        hashes = rng.integers(0, 1 << 63, photos, np.uint64) << np.uint64(1)
    with PeakMemory() as memory:
        order = rng.permutation(photos)
        changed = hashes[order]
        for _ in range(CHANGED_BITS):
            changed ^= np.uint64(1) << rng.integers(0, 64, photos, np.uint64)
        names = [f"m.{i:06}" for i in range(photos // PHOTOS_OF_IDENTITY + 1)]
        identity = (np.arange(photos) // PHOTOS_OF_IDENTITY).astype(np.int32)
        copies = [_photos(h, i, names, rng) for h, i in ((hashes, identity), (changed, identity[order]))]
        start = time.process_time()
        matches = match_photos(*copies)
        seconds = time.process_time() - start
    found = matches.row >= 0
    right = int((order[matches.row[found]] == np.flatnonzero(found)).sum())
    return DrawnMatches(photos, right, seconds, (memory.peak - before.peak) / photos)


def _photos(hashes: Words, identity: NDArray[np.int32], names: list[str], rng: np.random.Generator) -> IndexedPhotos:
    keys, shas = rng.integers(1, 1 << 63, (2, len(hashes)), np.uint64)
    return IndexedPhotos(keys, shas, hashes, np.ones(len(hashes), bool), identity, names)
