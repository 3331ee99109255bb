"""Mistakes are found and shown: each kind, with the right faces, within a budget, and with escaped names."""

from dataclasses import replace

import pytest

from pipeline.refined.scoring.known_truth import Truth
from pipeline.refined.scoring.score import in_order_of_truth
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.refinement import Refinement, latest
from pipeline.report.mistakes import mistaken_photos as kinds
from pipeline.report.mistakes.mistake_cards import LABEL_COLUMNS, Mistakes, find_mistakes, mistake_section
from tests.builders.tables.drawn_refinement import drawn_root
from tests.builders.tables.known_truth import truth_of

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def refinement(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    return latest(str(drawn_root(tmp_path_factory)))


def mistakes(refinement: Refinement, truth: Truth, *, per_kind: int = 60, max_bytes: int = 10_000_000) -> Mistakes:
    labels = in_order_of_truth(refinement.labels.read(list(LABEL_COLUMNS)), truth)
    return find_mistakes(refinement, labels, ScoredPhotos(labels, truth), truth, per_kind=per_kind, max_bytes=max_bytes)


def wrong_truth(refinement: Refinement) -> Truth:
    """The truth with lies: what the refinement did right is a mistake by it."""
    truth = truth_of(refinement)
    kind, person, persons = list(truth.kind), list(truth.person), dict(truth.persons)
    for number, i in enumerate(i for i, k in enumerate(kind) if k == "outlier"):
        if number < 20:
            kind[i], person[i] = "clean", truth.persons.get(truth.claimed[i], (person[i],))[0]
    clean = [i for i, k in enumerate(truth.kind) if k == "clean"]
    for i in clean[::40]:
        kind[i], person[i] = "outlier", HOSTILE
    for i in clean[1::80]:
        kind[i], person[i] = "flip", "person59"
    for i in clean[2::80]:
        kind[i] = "junk"
    for i in [i for i, k in enumerate(truth.kind) if k == "duplicate"]:
        kind[i] = "clean"
    persons["p30"] = ("person30", "person31")
    return replace(truth, kind=kind, person=person, persons=persons, overlap=frozenset({"p44"}))


def test_there_are_none_where_the_refinement_is_right(refinement: Refinement) -> None:
    found = mistakes(refinement, truth_of(refinement))
    assert set(found.counts) <= {kinds.LOST, kinds.OUTLIER}
    assert sum(found.counts.values()) <= 8, "of drawn noise nearly all is found"


def test_every_kind_is_counted_and_shown_with_its_faces(refinement: Refinement) -> None:
    truth = wrong_truth(refinement)
    found = mistakes(refinement, truth)
    photos = ScoredPhotos(in_order_of_truth(refinement.labels.read(list(LABEL_COLUMNS)), truth), truth)
    for kind, mask in kinds.photo_mistakes(photos, truth):
        assert found.counts.get(kind, 0) == mask.sum()
        assert sum(e.kind == kind for e in found.entries) == min(60, mask.sum())
    expected = {
        kinds.LOST,
        kinds.OUTLIER,
        kinds.MISNAMED,
        kinds.JUNK,
        kinds.NO_DUPLICATE,
        kinds.OVERLAP,
        kinds.NOT_SPLIT,
    }
    assert expected | {kinds.OVERLAP_LOST} <= set(found.counts)
    assert set(found.counts) <= set(kinds.EXPLANATIONS)
    keys = {row["face_id"]: row["key"] for row in refinement.labels.read(["face_id", "key"]).to_pylist()}
    place = {key: i for i, key in enumerate(truth.keys)}
    for entry in found.entries:
        faces = [face for side in entry.sides for face in side.faces]
        assert len(faces) == len(set(faces))
        if entry.kind == kinds.LOST:
            row = place[keys[entry.sides[0].faces[0]]]
            assert (truth.kind[row], truth.claimed[row]) == ("clean", entry.names[0])
            assert truth.person[row] in entry.sides[0].caption
            assert "removed: " in entry.treatment
            for face in entry.sides[1].faces if len(entry.sides) > 1 else ():
                assert truth.claimed[place[keys[face]]] == entry.names[0]
    assert any(e.evidence for e in found.entries if e.kind == kinds.LOST), "why it was removed"


def test_names_are_escaped_and_no_kind_is_left_out(refinement: Refinement) -> None:
    found = mistakes(refinement, wrong_truth(refinement), per_kind=5)
    page = mistake_section(found)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<li ") == len(found.entries)
    assert {e.kind for e in found.entries} == set(found.counts)
    assert mistake_section(found._replace(counts={})) == "<p>There are none.</p>"
