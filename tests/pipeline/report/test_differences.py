"""Two refinements compared: every photo with different fates is counted, and some are shown beside their person."""

from collections import Counter
from dataclasses import replace

import pytest

from pipeline.refined.labels import label
from pipeline.refined.verdicts import noise_tables
from pipeline.refinement import Refinement
from pipeline.report.differences import Differences, find_differences
from pipeline.report.finding_cards import difference_section
from pipeline.report.photos.thumbnails import thumbnails
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.repeated_refinement import repeat


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Refinement, Refinement]:
    """A refinement, and one of the same faces by other thresholds."""
    root = str(tmp_path_factory.mktemp("differing") / "root")
    refinement = refined(root)[0]
    noise = noise_tables(refinement)
    limits = refinement.thresholds | {"outlier": refinement.thresholds["outlier"] - 2.5, "merge": 99.0, "overlap": 99.0}
    labelling = label(root, refinement.photos, noise._replace(thresholds=limits), undecided="keep", min_faces=9)
    return refinement, replace(labelling.updated(refinement), thresholds=limits)


@pytest.fixture(scope="module")
def differences(both: tuple[Refinement, Refinement]) -> Differences:
    return find_differences(*both, per_kind=4, max_bytes=0)


def fates(refinement: Refinement) -> dict[str, tuple[str, str | None]]:
    """What becomes of each photo, the slow way."""
    by_face = {}
    for r in refinement.labels.read().to_pylist():
        kind = "removed: " if r["identity"] is None else "kept" if r["identity"] == r["claimed"] else "relabelled: "
        by_face[r["face_id"]] = (kind if kind == "kept" else kind + r["reason"], r["identity"])
    return by_face


def test_every_photo_of_different_fates_is_counted(
    both: tuple[Refinement, Refinement], differences: Differences
) -> None:
    a, b = map(fates, both)
    slow = Counter((a[f][0], b[f][0]) for f in a if a[f][0] != b[f][0])
    slow.update(
        (a[f][0], f"{b[f][0]}, as another person")
        for f in a
        if a[f][0] == b[f][0] and a[f][0] != "kept" and a[f][1] != b[f][1]
    )
    assert dict(differences.counts) == slow
    assert len(slow) > 3
    assert [n for _, n in differences.counts] == sorted(slow.values(), reverse=True)


def test_some_photos_of_each_difference_are_shown_beside_their_person(
    both: tuple[Refinement, Refinement], differences: Differences
) -> None:
    a, b = map(fates, both)
    claimed = {r["face_id"]: r["claimed"] for r in both[0].labels.read().to_pylist()}
    at = {r["face_id"]: (r["identity"], r["cluster"]) for r in both[0].clusters.read().to_pylist()}
    assert Counter(e.fates for e in differences.entries) == {p: min(4, n) for p, n in differences.counts}
    for entry in differences.entries:
        photo, *person_sides = entry.sides
        (face,) = photo.faces
        assert (a[face][0], b[face][0]) == entry.fates
        assert claimed[face] in entry.names
        assert {a[face][1], b[face][1], claimed[face]} - {None} == set(entry.names)
        shown = [f for side in person_sides for f in side.faces]
        assert face not in shown
        assert len(shown) == len(set(shown)), "no face is shown twice"
        claimed_faces = [f for side in person_sides if side.caption == claimed[face] for f in side.faces]
        assert all(at[f] == (claimed[face], 0) for f in claimed_faces)
        assert claimed_faces
    overlaps = [e for e in differences.entries if e.fates == ("removed: overlap", "removed: too_few")]
    captions = [side.caption for e in overlaps for side in e.sides]
    assert any(caption.startswith("in a test set: T") for caption in captions), (
        "the test identity stands beside the photo"
    )


def test_one_photo_of_each_identity_comes_first(both: tuple[Refinement, Refinement], differences: Differences) -> None:
    few = find_differences(*both, per_kind=2, max_bytes=0)
    assert few.entries
    for pair in {e.fates for e in few.entries}:
        names = [e.names[0] for e in few.entries if e.fates == pair]
        more = {e.names[0] for e in differences.entries if e.fates == pair}
        assert len(set(names)) == min(2, len(more))


def test_a_refinement_does_not_differ_from_itself_and_photos_of_one_root_only_are_counted(
    both: tuple[Refinement, Refinement], tmp_path
) -> None:
    assert find_differences(both[0], both[0], per_kind=4, max_bytes=10**6) == Differences([], [], {}, {}, 741)
    assert "None." in difference_section(Differences([], [], {}, {}, 1))
    other = repeat(both[1], str(tmp_path / "root"), 2)  # has its photos and as many more
    differences = find_differences(both[0], other, per_kind=4, max_bytes=0)
    in_one = {fates: n for fates, n in differences.counts if "not in A" in fates or "not in B" in fates}
    shared = set(fates(both[0])) & set(fates(other))
    assert sum(in_one.values()) == len(both[0].labels) + len(other.labels) - 2 * len(shared)
    assert {b for b, _ in in_one} == {"not in A"}
    assert differences.entries
    assert not in_one.keys() & {e.fates for e in differences.entries}


def test_text_from_outside_is_escaped(differences: Differences) -> None:
    evil = '"><script>alert(1)</script>'
    entry = differences.entries[0]._replace(fates=(evil, evil), names=(evil,))
    text = difference_section(Differences([((evil, evil), 1)], [entry], {}, {}, 1))
    assert "<script>" not in text


def test_a_face_costs_its_bytes_as_often_as_the_page_writes_it(
    both: tuple[Refinement, Refinement], monkeypatch
) -> None:
    monkeypatch.setattr(
        "pipeline.report.photos.thumbnails._of_shard", lambda t, s, w: dict.fromkeys(w.to_pylist(), "x" * 1500)
    )
    ids = both[0].faces.read(["face_id"])["face_id"].to_pylist()[:3]
    assert list(thumbnails([both[0]], [*ids, ids[0], ids[0]], max_bytes=6000)) == ids[:2]
    assert list(thumbnails([both[0]], ids, max_bytes=4500)) == ids
    assert list(thumbnails([both[0]], [ids[0]] * 4, max_bytes=5999)) == []
