"""The flow chart of the first page adds up as the account does."""

from collections import Counter

from pipeline.browse.pages.photo_flow import FACE, INGESTED, NO_FACE, Band, photo_flow
from pipeline.refinement import Account


def test_of_every_box_as_many_photos_go_out_as_come_in() -> None:
    removed = {"outlier": 30, "duplicate": 5, "no_face": 4, "unreadable": 3, "erased": 1, "mixed": 0}
    account = Account(100, 57, removed, 7, 9, 8)
    bands = photo_flow(account)
    out, into = Counter[str](), Counter[str]()
    for band in bands:
        out[band.start] += band.photos
        into[band.end] += band.photos
    assert out[INGESTED] == account.ingested
    assert {box: out[box] for box in (FACE, NO_FACE)} == {box: into[box] for box in (FACE, NO_FACE)}
    assert {box: n for box, n in into.items() if box not in (FACE, NO_FACE)} == {
        "kept": 50,
        "relabelled": 7,
        **{reason: n for reason, n in removed.items() if n},
    }
    assert [band.end for band in bands if band.start == NO_FACE] == ["no_face", "unreadable", "erased"]
    assert Band(FACE, "outlier", "removed", 30) in bands


def test_what_has_no_photos_is_no_box() -> None:
    assert photo_flow(Account(0, 0, {}, 0, 0, 0)) == []
    assert [band.end for band in photo_flow(Account(2, 2, {}, 0, 1, 1))] == [FACE, "kept"]
