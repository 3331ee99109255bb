"""The order of the photos: each once an epoch, another order every epoch, the same stream when continued anywhere."""

from itertools import groupby, islice

import numpy as np
import pytest

from trainer.data.windows import Grouping, shuffled_windows

CHUNK_SIZES = np.array([5, 7, 3, 8, 1])  # photos


def test_an_epoch_holds_every_photo_once_and_the_next_one_in_another_order() -> None:
    epochs: list[list[tuple[int, int]]] = [[]]
    for window in shuffled_windows(CHUNK_SIZES, seed=1, buffer=9):
        epochs[-1] += [(int(window.chunks[c]), int(r)) for c, r in window.order]
        if len(epochs[-1]) == CHUNK_SIZES.sum():
            if len(epochs) == 2:
                break
            epochs.append([])
    all_photos = {(c, r) for c, n in enumerate(CHUNK_SIZES) for r in range(n)}
    assert set(epochs[0]) == set(epochs[1]) == all_photos
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("skip", [1, 9, 23, 24, 25, 60])
def test_a_stream_continues_from_any_photo(skip: int) -> None:

    def flat(start: int, n: int) -> list[tuple[int, int]]:
        windows = shuffled_windows(CHUNK_SIZES, seed=1, skip=start, buffer=9)
        photos = ((int(w.chunks[c]), int(r)) for w in windows for c, r in w.order)
        return list(islice(photos, n))

    assert flat(skip, 30) == flat(0, skip + 30)[skip:]


@pytest.mark.parametrize("skip", [0, 24, 61])
def test_photos_of_a_person_come_in_groups_and_every_photo_once_an_epoch(skip: int) -> None:
    labels = np.random.default_rng(0).integers(0, 6, 24)
    grouping = Grouping(labels, 3)

    def flat(start: int, n: int) -> list[int]:
        stream = shuffled_windows(CHUNK_SIZES, seed=1, skip=start, buffer=100, grouping=grouping)
        first_photo = np.cumsum(CHUNK_SIZES) - CHUNK_SIZES
        photos = (int(first_photo[w.chunks[c]] + r) for w in stream for c, r in w.order)
        return list(islice(photos, n))

    epochs = flat(0, 120)
    assert all(sorted(epochs[i : i + 24]) == list(range(24)) for i in range(0, 120, 24))
    assert epochs[:24] != epochs[24:48]
    assert flat(skip, 40) == epochs[skip : skip + 40]
    runs = [len(list(group)) for _, group in groupby(labels[epochs[:24]])]
    assert sum(n >= 3 for n in runs) >= sum(n // 3 for n in np.bincount(labels)) - 2  # two groups may meet
    assert len(runs) >= len(set(labels))


def test_a_window_holds_no_more_than_the_buffer_and_one_chunk() -> None:
    lengths = [len(w.order) for w in islice(shuffled_windows(np.full(100, 10), seed=0, buffer=64), 30)]
    assert max(lengths) <= 64 + 10
