"""The figures of a patch on another copy, by hand; and drawn photos are matched right."""

import numpy as np

from flows.benchmark.patches.copies import Fates, figures
from flows.benchmark.patches.drawn_photos import match_drawn_photos
from pipeline.refined.patches.match_photos import BYTES, PICTURE, Matches

NO, A, B, OTHER_A, OTHER_B = -1, 0, 1, 1, 0  # identities of the patch, and of the copy


def fates(claimed: list[int], after: list[int], duplicate: tuple[int, ...] = ()) -> Fates:
    duplicates = np.isin(np.arange(len(claimed)), duplicate)
    return Fates(np.array(claimed, np.int32), np.array(after, np.int32), ["a", "b"], duplicates)


def test_precision_and_recall_by_way_are_those_counted_by_hand() -> None:
    given = fates([A, A, A, A, B, B, B, B], [A, A, NO, B, B, NO, NO, NO], duplicate=(6,))
    own_after = [OTHER_A, OTHER_A, NO, OTHER_B, OTHER_B, OTHER_B, OTHER_B, NO]
    own = fates([OTHER_A] * 4 + [OTHER_B] * 4, own_after)
    nothing = np.zeros(8, bool)
    row = np.array([1, 0, 2, 3, 4, 5, 6, -1])
    way = np.array([PICTURE, PICTURE, BYTES, BYTES, BYTES, PICTURE, PICTURE, 0], np.int8)
    matches = Matches(row, way, nothing, nothing, nothing, nothing, np.array([OTHER_A, OTHER_B], np.int32))
    by_bytes, by_picture, every, none = figures("c", matches, np.arange(8), given, own)
    assert (by_bytes["photos"], by_bytes["wrong photos"], by_bytes["the same fate"]) == (3, 0, "1.0000")
    assert (by_bytes["precision"], by_bytes["recall"]) == ("1.0000 of 2", "1.0000 of 2")
    assert (by_picture["photos"], by_picture["wrong photos"], by_picture["the same fate"]) == (4, 2, "0.5000")
    assert (by_picture["precision"], by_picture["recall"]) == ("0.0000 of 2", "-")
    assert (every["precision"], every["recall"]) == ("0.5000 of 4", "0.6667 of 3")
    assert every["precision, duplicates aside"] == "0.6667 of 3"
    assert none["photos"] == 1


def test_drawn_photos_are_matched_with_their_copies() -> None:
    drawn = match_drawn_photos(3000)
    assert (drawn.photos, drawn.right) == (3000, 3000)
