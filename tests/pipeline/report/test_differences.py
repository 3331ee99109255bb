"""Two refinements beside each other: every photo that they treat differently is counted, and shown with its person."""

from collections import Counter
from dataclasses import replace

import pytest

from pipeline.refined.labels import label
from pipeline.refined.verdicts import noise_of
from pipeline.refinement import Refinement
from pipeline.report import page
from pipeline.report.differences import Differing, differing
from pipeline.report.thumbnails import thumbnails
from tests.builders.tables.drawn_refinement import refined


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Refinement, Refinement]:
    """A refinement, and one of the same faces by other thresholds."""
    root = str(tmp_path_factory.mktemp("differing") / "root")
    one = refined(root)[0]
    noise = noise_of(one)
    limits = one.thresholds | {"outlier": one.thresholds["outlier"] - 2.5, "merge": 99.0, "overlap": 99.0}
    found = label(root, one.photos, noise._replace(thresholds=limits), undecided="keep", min_faces=9)
    return one, replace(found.updated(one), thresholds=limits)


@pytest.fixture(scope="module")
def found(both: tuple[Refinement, Refinement]) -> Differing:
    return differing(*both, each=4, most_bytes=0)


def fates(done: Refinement) -> dict[str, tuple[str, str | None]]:
    """What becomes of each photo, the slow way."""
    made = {}
    for r in done.labels.read().to_pylist():
        kind = "removed: " if r["identity"] is None else "kept" if r["identity"] == r["claimed"] else "moved: "
        made[r["face_id"]] = (kind if kind == "kept" else kind + r["reason"], r["identity"])
    return made


def test_every_photo_treated_differently_is_counted(both: tuple[Refinement, Refinement], found: Differing) -> None:
    a, b = map(fates, both)
    slow = Counter((a[f][0], b[f][0]) for f in a if a[f][0] != b[f][0])
    slow.update(
        (a[f][0], f"{b[f][0]}, to another name")
        for f in a
        if a[f][0] == b[f][0] and a[f][0] != "kept" and a[f][1] != b[f][1]
    )
    assert dict(found.counts) == slow
    assert len(slow) > 3
    assert [n for _, n in found.counts] == sorted(slow.values(), reverse=True)


def test_some_of_each_are_shown_beside_their_person(both: tuple[Refinement, Refinement], found: Differing) -> None:
    a, b = map(fates, both)
    claimed = {r["face_id"]: r["claimed"] for r in both[0].labels.read().to_pylist()}
    at = {r["face_id"]: (r["identity"], r["cluster"]) for r in both[0].clusters.read().to_pylist()}
    assert Counter(e.pair for e in found.entries) == {p: min(4, n) for p, n in found.counts}
    for entry in found.entries:
        photo, *others = entry.sides
        (face,) = photo.faces
        assert (a[face][0], b[face][0]) == entry.pair
        assert claimed[face] in entry.names
        assert {a[face][1], b[face][1], claimed[face]} - {None} == set(entry.names)
        shown = [f for side in others for f in side.faces]
        assert face not in shown
        assert len(shown) == len(set(shown)), "nobody is shown twice"
        home = [f for side in others if side.words == claimed[face] for f in side.faces]
        assert all(at[f] == (claimed[face], 0) for f in home)
        assert home
    kept = [e for e in found.entries if e.pair == ("removed: overlap", "removed: too_few")]
    assert any(s.words.startswith("T") for e in kept for s in e.sides), "the test identity stands beside the photo"


def test_one_photo_of_each_name_comes_first(both: tuple[Refinement, Refinement], found: Differing) -> None:
    few = differing(*both, each=2, most_bytes=0)
    for pair in {e.pair for e in few.entries}:
        names = [e.names[0] for e in few.entries if e.pair == pair]
        more = {e.names[0] for e in found.entries if e.pair == pair}
        assert len(set(names)) == min(2, len(more))


def test_the_same_twice_differs_in_nothing_and_other_photos_are_counted(
    both: tuple[Refinement, Refinement], tmp_path
) -> None:
    assert differing(both[0], both[0], each=4, most_bytes=10**6) == Differing([], [], {})
    assert "None." in page.differing(Differing([], [], {}))
    other = refined(str(tmp_path / "root"), seed=1)[0]
    found = differing(both[0], other, each=4, most_bytes=0)
    there = {p: n for p, n in found.counts if "not there" in p or "in A alone" in p}
    shared = set(fates(both[0])) & set(fates(other))
    assert sum(there.values()) == len(both[0].labels) + len(other.labels) - 2 * len(shared)
    assert all(e.pair not in there for e in found.entries)


def test_what_came_from_outside_stays_text(found: Differing) -> None:
    evil = '"><script>alert(1)</script>'
    entry = found.entries[0]._replace(pair=(evil, evil), names=(evil,))
    text = page.differing(Differing([((evil, evil), 1)], [entry], {}))
    assert "<script>" not in text


def test_a_face_costs_as_often_as_the_page_writes_it(both: tuple[Refinement, Refinement], monkeypatch) -> None:
    monkeypatch.setattr("pipeline.report.thumbnails._small", lambda t, s, w: dict.fromkeys(w.to_pylist(), "x" * 1500))
    ids = both[0].faces.read(["face_id"])["face_id"].to_pylist()[:3]
    assert list(thumbnails([both[0]], [*ids, ids[0], ids[0]], 6000)) == ids[:2]
    assert list(thumbnails([both[0]], ids, 4500)) == ids
    assert list(thumbnails([both[0]], [ids[0]] * 4, 5999)) == []
