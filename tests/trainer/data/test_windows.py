"""The order of the photos: each once an epoch, a new order every epoch, and the same stream from any place on."""

from itertools import groupby, islice

import numpy as np
import pytest

from trainer.data.windows import Grouping, shuffled_windows

ROWS = np.array([5, 7, 3, 8, 1])  # photos of each chunk


def test_an_epoch_holds_every_photo_once_and_the_next_one_in_another_order() -> None:
    seen: list[list[tuple[int, int]]] = [[]]
    for window in shuffled_windows(ROWS, seed=1, buffer=9):
        seen[-1] += [(int(window.chunks[c]), int(r)) for c, r in window.order]
        if len(seen[-1]) == ROWS.sum():
            if len(seen) == 2:
                break
            seen.append([])
    everything = {(c, r) for c, n in enumerate(ROWS) for r in range(n)}
    assert set(seen[0]) == set(seen[1]) == everything
    assert seen[0] != seen[1]


@pytest.mark.parametrize("seen", [1, 9, 23, 24, 25, 60])
def test_a_stream_continues_from_any_photo(seen: int) -> None:

    def flat(start: int, n: int) -> list[tuple[int, int]]:
        photos = (
            (int(w.chunks[c]), int(r)) for w in shuffled_windows(ROWS, seed=1, seen=start, buffer=9) for c, r in w.order
        )
        return list(islice(photos, n))

    assert flat(seen, 30) == flat(0, seen + 30)[seen:]


@pytest.mark.parametrize("seen", [0, 24, 61])
def test_grouped_photos_follow_one_another_and_come_once_an_epoch(seen: int) -> None:
    labels = np.random.default_rng(0).integers(0, 6, 24)
    grouping = Grouping(labels, 3)

    def flat(start: int, n: int) -> list[int]:
        stream = shuffled_windows(ROWS, seed=1, seen=start, buffer=100, grouping=grouping)
        photos = (int(np.cumsum(ROWS)[w.chunks[c]] - ROWS[w.chunks[c]] + r) for w in stream for c, r in w.order)
        return list(islice(photos, n))

    epochs = flat(0, 120)
    assert all(sorted(epochs[i : i + 24]) == list(range(24)) for i in range(0, 120, 24))
    assert epochs[:24] != epochs[24:48]
    assert flat(seen, 40) == epochs[seen : seen + 40]
    runs = [len(list(group)) for _, group in groupby(labels[epochs[:24]])]
    assert sum(n >= 3 for n in runs) >= sum(n // 3 for n in np.bincount(labels)) - 2  # two groups may meet
    assert len(runs) >= len(set(labels))


def test_a_window_holds_no_more_than_the_buffer_and_one_chunk() -> None:
    lengths = [len(w.order) for w in islice(shuffled_windows(np.full(100, 10), seed=0, buffer=64), 30)]
    assert max(lengths) <= 64 + 10
