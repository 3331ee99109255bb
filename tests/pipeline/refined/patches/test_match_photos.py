"""A photo is matched by key, bytes and picture, in this order, and not at all where two photos may be the same one."""

import numpy as np
import pytest

from pipeline.refined.patches.indexed_photos import index_photos
from pipeline.refined.patches.match_photos import Matches, majority_identities, match_photos
from tests.builders.tables.patch_rows import patch_table, photo

RNG = np.random.default_rng(5)
PICTURES = [
    int(h) for h in RNG.integers(1, 1 << 63, 30, np.uint64)
]  # hashes of different pictures: half the bits differ
Row = dict[str, object]


def matched(patch: list[Row], copy: list[Row], *, vectors: bool = False, by_key: bool = True) -> Matches:
    photos = [index_photos([patch_table(*rows)], with_vectors=vectors) for rows in (patch, copy)]
    return match_photos(photos[0], photos[1], by_key=by_key)


def found(patch: list[Row], copy: list[Row], matches: Matches) -> dict[object, tuple[object, str]]:
    """By key of the patch the key of the copy and the way."""
    ways = ["", "key and bytes", "key and picture", "bytes", "picture", "picture and face"]
    rows = zip(patch, matches.row.tolist(), matches.way.tolist(), strict=True)
    return {p["key"]: (copy[row]["key"], ways[way]) for p, row, way in rows if row >= 0}


def test_a_photo_takes_29_bytes() -> None:
    photos = index_photos([patch_table(*(photo(str(i), "a", sha=i, hash=i) for i in range(1000)))])
    arrays = (photos.keys, photos.shas, photos.hashes, photos.has_hash, photos.identity)
    assert sum(column.nbytes for column in arrays) == 29 * 1000


def test_a_photo_that_was_erased_in_the_copy_is_no_other_picture() -> None:
    patch = [photo(f"a/{i}.jpg", "a", sha=i + 1, hash=PICTURES[i]) for i in range(3)]
    copy = [photo("a/0.jpg", "A"), photo("a/1.jpg", "A", sha=9, hash=PICTURES[9]), photo("a/2.jpg", "A", sha=3)]
    listed, present = (index_photos([patch_table(*rows)]) for rows in (patch, copy))
    matches = match_photos(listed, present, erased=np.array([True, False, False]))
    assert found(patch, copy, matches) == {"a/2.jpg": ("a/2.jpg", "key and bytes")}
    assert (matches.erased.tolist(), matches.other_picture.tolist()) == ([True, False, False], [False, True, False])
    assert not matches.not_compared.any()


def test_each_way_and_each_reason_for_no_match() -> None:
    patch = [
        photo("a/1.jpg", "a", sha=1, hash=PICTURES[0]),
        photo("a/2.jpg", "a", sha=2, hash=PICTURES[1]),
        photo("a/3.jpg", "a", sha=3, hash=PICTURES[2]),
        photo("a/4.jpg", "a", sha=4, hash=PICTURES[3]),
        photo("a/5.jpg", "a", sha=5, hash=PICTURES[4]),
        photo("a/6.jpg", "a", sha=6),
        photo("a/7.jpg", "a", sha=7, hash=PICTURES[6]),
    ]
    copy = [
        photo("a/1.png", "A", sha=1),
        photo("a/2.jpg", "A", sha=102, hash=PICTURES[1] ^ 0b1011),
        photo("x/3.jpg", "A", sha=3, hash=PICTURES[20]),
        photo("x/4.jpg", "A", sha=104, hash=PICTURES[3] ^ 0b1),
        photo("a/5.jpg", "A", sha=105, hash=PICTURES[21]),
        photo("a/6.jpg", "A", sha=106),
        photo("x/7.jpg", "A", sha=107, hash=PICTURES[6] ^ 0b11111),
    ]
    matches = matched(patch, copy)
    assert found(patch, copy, matches) == {
        "a/1.jpg": ("a/1.png", "key and bytes"),
        "a/2.jpg": ("a/2.jpg", "key and picture"),
        "a/3.jpg": ("x/3.jpg", "bytes"),
        "a/4.jpg": ("x/4.jpg", "picture"),
    }
    assert np.flatnonzero(matches.other_picture).tolist() == [4]
    assert np.flatnonzero(matches.not_compared).tolist() == [5]
    assert matches.identity.tolist() == [0]
    assert matches.by_way() == {
        "key and bytes": 1,
        "key and picture": 1,
        "bytes": 1,
        "picture": 1,
        "picture and face": 0,
    }
    without = found(patch, copy, matched(patch, copy, by_key=False))
    assert without["a/1.jpg"] == ("a/1.png", "bytes")
    assert without["a/2.jpg"] == ("a/2.jpg", "picture")


def test_a_photo_whose_key_is_another_picture_is_matched_by_its_bytes() -> None:
    patch = [photo("a/1.jpg", "a", sha=1, hash=PICTURES[0]), photo("a/2.jpg", "a", sha=2, hash=PICTURES[1])]
    copy = [photo("a/1.jpg", "a", sha=2, hash=PICTURES[1]), photo("a/2.jpg", "a", sha=1, hash=PICTURES[0])]
    matches = matched(patch, copy)
    assert found(patch, copy, matches) == {"a/1.jpg": ("a/2.jpg", "bytes"), "a/2.jpg": ("a/1.jpg", "bytes")}
    assert not matches.other_picture.any()


def test_of_one_picture_under_two_identities_the_one_of_the_same_identity_is_taken() -> None:
    others = [photo(f"{name}/{i}.jpg", name, sha=10 * ord(name) + i) for name in "ab" for i in range(2)]
    renamed = [row | {"key": f"n{i}", "before": f"new {row['before']}"} for i, row in enumerate(others)]
    patch = [*others, photo("a/9.jpg", "a", sha=1, hash=PICTURES[0]), photo("b/9.jpg", "b", sha=2, hash=PICTURES[0])]
    one, two = photo("n8", "new b", sha=3, hash=PICTURES[0]), photo("n9", "new a", sha=4, hash=PICTURES[0])
    matches = matched(patch, [*renamed, one, two])
    assert matches.row.tolist() == [0, 1, 2, 3, 5, 4]
    assert matches.identity.tolist() == [0, 1]
    twice = photo("n7", "new a", sha=5, hash=PICTURES[0])
    matches = matched(patch, [*renamed, one, two, twice])
    assert matches.row.tolist() == [0, 1, 2, 3, -1, 4], "two equally good photos of the identity"
    assert np.flatnonzero(matches.several).tolist() == [4]
    nearer = [one, two | {"hash": PICTURES[0] ^ 0b111}, twice]
    assert matched(patch, [*renamed, *nearer]).row.tolist() == [0, 1, 2, 3, 6, 4]


def test_an_identity_all_of_whose_photos_are_duplicates_is_matched_by_them() -> None:
    patch = [photo("a/1", "a", hash=PICTURES[0]), photo("a/2", "a", hash=PICTURES[0] ^ 0b1111)]
    copy = [photo("n/2", "A", hash=PICTURES[0] ^ 0b1110), photo("n/1", "A", hash=PICTURES[0])]
    assert matched(patch, copy).row.tolist() == [1, 0]


def test_vectors_decide_where_both_copies_have_them() -> None:
    def unit(*numbers: float) -> bytes:
        x = np.array(numbers, np.float64)
        return (x / (np.linalg.norm(x) or 1)).astype(np.float16).tobytes()

    far = PICTURES[0] ^ 0b1111111  # too far for the picture alone
    patch = [
        photo("1", "a", hash=PICTURES[0], x=unit(1, 0, 0)),
        photo("2", "a", hash=PICTURES[1], x=unit(0, 1, 0)),
        photo("3", "a", hash=PICTURES[2], x=unit(0, 0, 0)),
    ]
    copy = [
        photo("n1", "A", hash=far, x=unit(1, 0.2, 0)),
        photo("n2", "A", hash=PICTURES[1], x=unit(1, 0, 1)),
        photo("n3", "A", hash=PICTURES[2], x=unit(0, 0, 1)),
    ]
    assert found(patch, copy, matched(patch, copy, vectors=True)) == {
        "1": ("n1", "picture and face"),
        "3": ("n3", "picture"),
    }
    assert set(found(patch, copy, matched(patch, copy))) == {"2", "3"}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 0, 1], [2, 2, 1, 0], [2, 0]),
        ([0, 0, 1, 1], [1, 2, -1, 1], [-1, 1]),  # no majority; photos without an identity do not count
        ([-1, -1], [0, 0], [-1, -1]),
    ],
)
def test_an_identity_is_that_of_more_than_half_of_its_photos(a: list[int], b: list[int], expected: list[int]) -> None:
    assert majority_identities(np.array(a, np.int32), np.array(b, np.int32), 2).tolist() == expected
