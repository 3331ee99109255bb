"""Answers hold whatever the groups are called this time."""

import pyarrow as pa
import pytest

from pipeline.noise.findings import findings_table
from pipeline.refined.verdicts import implied, present
from pipeline.schema import ANSWERS, finding_id
from tests.builders.ledger_rows import row

PERSONS = [
    {"person": "a", "identity": "a", "cluster": 0, "medoid": "a0"},
    {"person": "a~new", "identity": "a", "cluster": 2, "medoid": "a7"},
    {"person": "b", "identity": "b", "cluster": 0, "medoid": "b0"},
]
PLACE = {"a0": ("a", 0), "a1": ("a", 0), "a5": ("a", 2), "a7": ("a", 2), "b0": ("b", 0), "b1": ("b", 0)}


def asked(kind, subject, object, **more):
    given = row(finding_id(kind, subject, object), "yes", "w", kind=kind, subject=subject, object=object)
    given |= {"face": None, "other": None} | more
    return {c: given.get(c) for c in ANSWERS.names}


def read(*rows):
    found = present(pa.Table.from_pylist(list(rows), schema=ANSWERS), PLACE, PERSONS)
    assert found["finding_id"].to_pylist() == [
        finding_id(*(r[c] for c in ("kind", "subject", "object"))) for r in found.to_pylist()
    ]
    return [(r["kind"], r["subject"], r["object"], r["verdict"]) for r in found.to_pylist()]


def test_a_question_about_faces_is_the_same_in_every_run():
    assert read(asked("outlier", "a5", "a")) == [("outlier", "a5", "a", "yes")]


@pytest.mark.parametrize("faces", [("a1", "a5"), ("a5", "a1")])
def test_a_split_is_of_the_groups_in_which_its_faces_are_now(faces):
    assert read(asked("split", *faces)) == [("split", "a0", "a7", "yes")]


def test_faces_that_came_together_are_no_split_any_more():
    assert read(asked("split", "a0", "a1")) == [("split", "a0", "a1", "yes")]


def test_a_person_with_a_new_name_is_known_by_its_face():
    gone = asked("merge", "a~old", "b", face="a5", other="b1")
    assert read(gone) == [("merge", "a~new", "b", "yes")]
    assert read(asked("misplaced", "b1", "a~old", face="b1", other="a5")) == [("misplaced", "b1", "a~new", "yes")]
    assert read(asked("overlap", "a~old", "Test", face="a5")) == [("overlap", "a~new", "Test", "yes")]
    assert read(asked("overlap", "nobody", "Test", face="gone")) == [("overlap", "nobody", "Test", "yes")]


def test_of_two_answers_that_became_one_question_the_last_counts():
    old = asked("split", "a0", "a5") | {"verdict": "no"}
    late = asked("split", "a1", "a7")
    late["at"] = late["at"].replace(year=2027)
    assert read(late, old) == [("split", "a0", "a7", "yes")]


def test_who_is_the_person_is_nobody_else():
    found = findings_table("misplaced", ["a1", "a5"], ["b", "b"], [[9.0, 9.0]], ["", ""])
    own = asked("outlier", "a1", "a") | {"verdict": "no"}
    people = {own["finding_id"]: own}
    assert set(implied(found, people)) == {finding_id("misplaced", "a1", "b")}
    people[finding_id("misplaced", "a1", "b")] = asked("misplaced", "a1", "b")  # said outright
    assert implied(found, people) == {}
