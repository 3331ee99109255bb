"""Answers are matched to the persons of another refinement by the faces that are stored with them."""

import pyarrow as pa
import pytest

from pipeline.noise.findings import findings_table
from pipeline.refined.verdicts import PersonCluster, PersonClusters, current_answers, with_implied_answers
from pipeline.schema import ANSWERS, finding_id
from tests.builders.tables.ledger_rows import row

PERSONS = [
    PersonCluster(person="a", identity="a", cluster=0, medoid="a0"),
    PersonCluster(person="a~new", identity="a", cluster=2, medoid="a7"),
    PersonCluster(person="b", identity="b", cluster=0, medoid="b0"),
]
CLUSTER_OF_FACE = {"a0": ("a", 0), "a1": ("a", 0), "a5": ("a", 2), "a7": ("a", 2), "b0": ("b", 0), "b1": ("b", 0)}


def answer(kind, subject, object, **more):
    columns = (
        row(finding_id(kind, subject, object), "yes", "w", kind=kind, subject=subject, object=object).columns() | more
    )
    return {c: columns[c] for c in ANSWERS.names}


def matched(*answers):
    """Kind, subject, object and verdict of the answers as they refer to the clusters above."""
    table = pa.Table.from_pylist(list(answers), schema=ANSWERS)
    rows = current_answers(table, PersonClusters(CLUSTER_OF_FACE, PERSONS)).to_pylist()
    assert [r["finding_id"] for r in rows] == [finding_id(r["kind"], r["subject"], r["object"]) for r in rows]
    return [(r["kind"], r["subject"], r["object"], r["verdict"]) for r in rows]


def test_a_question_about_faces_is_the_same_in_every_run():
    assert matched(answer("outlier", "a5", "a")) == [("outlier", "a5", "a", "yes")]


@pytest.mark.parametrize("faces", [("a1", "a5"), ("a5", "a1")])
def test_a_split_is_of_the_groups_in_which_its_faces_are_now(faces):
    assert matched(answer("split", *faces)) == [("split", "a0", "a7", "yes")]


def test_a_split_of_faces_that_are_in_one_cluster_now_keeps_its_faces():
    assert matched(answer("split", "a0", "a1")) == [("split", "a0", "a1", "yes")]


def test_a_person_with_a_new_name_is_recognised_by_its_face():
    gone = answer("merge", "a~old", "b", face="a5", other="b1")
    assert matched(gone) == [("merge", "a~new", "b", "yes")]
    assert matched(answer("misplaced", "b1", "a~old", face="b1", other="a5")) == [("misplaced", "b1", "a~new", "yes")]
    assert matched(answer("overlap", "a~old", "Test", face="a5")) == [("overlap", "a~new", "Test", "yes")]
    assert matched(answer("overlap", "nobody", "Test", face="gone")) == [("overlap", "nobody", "Test", "yes")]


def test_the_later_of_two_answers_about_the_same_finding_counts():
    old = answer("split", "a0", "a5") | {"verdict": "no"}
    late = answer("split", "a1", "a7")
    late["at"] = late["at"].replace(year=2027)
    assert matched(late, old) == [("split", "a0", "a7", "yes")]


def test_a_face_that_is_its_identitys_person_is_misplaced_nowhere():
    findings = findings_table("misplaced", ["a1", "a5"], ["b", "b"], [[9.0, 9.0]], ["", ""])
    not_outlier = answer("outlier", "a1", "a") | {"verdict": "no"}
    answers = pa.Table.from_pylist([not_outlier], schema=ANSWERS)
    implied = with_implied_answers(answers, findings).to_pylist()
    assert implied == [not_outlier, not_outlier | {"finding_id": finding_id("misplaced", "a1", "b")}]
    outright = pa.Table.from_pylist([not_outlier, answer("misplaced", "a1", "b")], schema=ANSWERS)
    assert with_implied_answers(outright, findings).equals(outright), "an answer counts more than what follows from one"
