"""resolve() step by step on a handful of photos; no photo is lost, and the order of rows changes nothing."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import schema
from pipeline.refined.resolve import KINDS, resolve

# face: claimed identity and cluster. ana has three photos of her person, one of another group (a4), three of a further
# person (a7 to a9) and one without a face (xx); nn claims no identity
FACES = {
    "a1": ("ana", 0),
    "a2": ("ana", 0),
    "a3": ("ana", 0),
    "a4": ("ana", 2),
    "a7": ("ana", 1),
    "a8": ("ana", 1),
    "a9": ("ana", 1),
    "b1": ("bo", 0),
    "b2": ("bo", 0),
    "b3": ("bo", 0),
    "b4": ("bo", 1),
    "c1": ("cy", 0),
    "c2": ("cy", 0),
    "d1": ("di", 0),
    "d2": ("di", 1),
    "nn": (None, None),
    "xx": ("ana", None),
}
PERSONS = [
    ("ana", "ana", 0, 3, "a1"),
    ("ana~a7", "ana", 1, 3, "a7"),
    ("bo", "bo", 0, 3, "b1"),
    ("cy", "cy", 0, 2, "c1"),
    ("di", "di", 0, 1, "d1"),
]


def labels(findings, *, order=None, people=(), **options):
    """Identity and reason of each face; findings: (kind, subject, object, verdict[, score]); people: their subjects."""
    claims = pa.table(
        {
            "face_id": list(FACES),
            "key": [f"{f}.jpg" for f in FACES],
            "identity": [i for i, _ in FACES.values()],
            "cluster": pa.array([c for _, c in FACES.values()], pa.int32()),
        }
    )
    names = ["person", "identity", "cluster", "size", "medoid"]
    persons = pa.table(dict(zip(names, map(list, zip(*PERSONS, strict=True)), strict=True)))
    rows = [
        {
            "finding_id": schema.finding_id(*q[:3]),
            "kind": q[0],
            "subject": q[1],
            "object": q[2],
            "score": (q[4:] or [5.0])[0],
        }
        for q in findings
    ]
    table = pa.Table.from_pylist(rows, schema=schema.FINDINGS)
    verdicts = np.array([q[3] for q in findings], object)
    if order is not None:
        rng = np.random.default_rng(order)
        claims, persons = claims.take(rng.permutation(len(claims))), persons.take(rng.permutation(len(persons)))
        shuffled = rng.permutation(len(table))
        table, verdicts = table.take(shuffled), verdicts[shuffled]
    said = [subject in people for subject in table["subject"].to_pylist()]
    resolved = resolve(claims, persons, table, verdicts, by_people=said, **options)
    assert resolved.schema == schema.LABELS
    assert resolved["face_id"].equals(claims["face_id"])
    return {r["face_id"]: (r["identity"], r["reason"]) for r in resolved.to_pylist()}


def test_an_erased_photo_is_removed_before_any_other_step_and_has_its_reason_without_a_name_too() -> None:
    found = labels([("erased", "nn", None, "yes"), ("erased", "a1", None, "yes"), ("outlier", "a1", "ana", "yes")])
    assert found["nn"] == found["a1"] == (None, "erased")
    assert found["a2"] == ("ana", "")


def test_without_findings_every_photo_with_an_identity_is_kept():
    resolved = labels([])
    assert resolved.pop("nn") == (None, "unnamed")
    assert resolved == {face: (FACES[face][0], "") for face in FACES if face != "nn"}


def test_photos_without_a_usable_face_are_removed_with_their_reason():
    resolved = labels([("no_face", "xx", None, "yes"), ("unreadable", "a1", None, "yes"), ("poor", "a2", None, "no")])
    assert [resolved[face] for face in ("xx", "a1", "a2")] == [(None, "no_face"), (None, "unreadable"), ("ana", "")]


def test_an_outlier_is_removed_and_an_undecided_one_as_the_option_says():
    findings = [("outlier", "a4", "ana", "yes"), ("outlier", "b4", "bo", "unsure"), ("outlier", "b3", "bo", "no")]
    assert labels(findings)["a4"] == (None, "outlier")
    assert labels(findings)["b4"] == ("bo", "")
    assert labels(findings, undecided="drop")["b4"] == (None, "outlier")
    assert labels(findings, undecided="drop")["b3"] == ("bo", "")


def test_a_split_gives_the_further_person_an_identity_outliers_or_not():
    findings = [("split", "a1", "a7", "yes"), *(("outlier", f, "ana", "yes") for f in ("a7", "a8", "a9"))]
    resolved = labels(findings)
    assert {resolved[f] for f in ("a7", "a8", "a9")} == {("ana~a7", "split")}
    assert resolved["a1"] == ("ana", "")
    refused = labels([("split", "a1", "a7", "unsure"), *findings[1:]])
    assert {refused[f] for f in ("a7", "a8", "a9")} == {(None, "outlier")}


def test_a_misplaced_face_is_relabelled_instead_of_removed():
    findings = [("outlier", "a4", "ana", "yes"), ("misplaced", "a4", "bo", "yes")]
    assert labels(findings)["a4"] == ("bo", "misplaced")
    assert labels([findings[0], ("misplaced", "a4", "bo", "unsure")])["a4"] == (None, "outlier")


def test_a_face_is_relabelled_as_a_further_person_only_when_that_is_an_identity():
    findings = [("outlier", "b4", "bo", "yes"), ("misplaced", "b4", "ana~a7", "yes")]
    assert labels(findings)["b4"] == (None, "outlier")
    assert labels([*findings, ("split", "a1", "a7", "yes")])["b4"] == ("ana~a7", "misplaced")


def test_of_a_split_off_cluster_only_people_move_a_face_alone():
    split, moved, back = (
        ("split", "a1", "a7", "yes"),
        ("misplaced", "a8", "bo", "yes"),
        ("misplaced", "a8", "ana", "yes"),
    )
    assert labels([split, moved])["a8"] == ("ana~a7", "split")
    resolved = labels([split, moved], people={"a8"})
    assert (resolved["a8"], resolved["a7"], resolved["a9"]) == (("bo", "misplaced"), *[("ana~a7", "split")] * 2)
    assert labels([split, back], people={"a8"})["a8"] == ("ana", "")
    assert labels([split, back, ("outlier", "a8", "ana", "yes")], people={"a8"})["a8"] == (None, "outlier")
    none = [split, ("misplaced", "a8", "ana~a7", "yes"), ("misplaced", "a8", "bo", "no")]
    assert labels(none, people={"a8"})["a8"] == ("ana~a7", "split")


def test_a_merge_takes_the_larger_persons_name_and_outliers_stay_out():
    resolved = labels([("merge", "bo", "cy", "yes"), ("outlier", "b4", "bo", "yes")])
    assert resolved["c1"] == ("bo", "merge")
    assert resolved["b1"] == ("bo", "")
    assert resolved["b4"] == (None, "outlier")


def test_merges_are_transitive_only_without_contradiction():
    chain = [("merge", "ana", "bo", "yes", 9.0), ("merge", "bo", "cy", "yes", 8.0)]
    assert labels(chain)["c1"] == ("cy", "")
    assert labels([*chain, ("merge", "ana", "cy", "unsure", 5.0)])["c1"] == ("ana", "merge")
    assert labels([*chain, ("merge", "ana", "cy", "no", 5.0)])["c1"] == ("cy", "")


def test_a_moved_face_follows_its_new_person_into_a_merge():
    resolved = labels([("misplaced", "a4", "cy", "yes"), ("merge", "bo", "cy", "yes")])
    assert resolved["a4"] == ("bo", "misplaced")


def test_a_mixed_identity_is_removed_but_for_faces_that_are_another_person():
    resolved = labels([("mixed", "di", None, "yes"), ("misplaced", "d2", "cy", "yes")])
    assert resolved["d1"] == (None, "mixed")
    assert resolved["d2"] == ("cy", "misplaced")
    assert labels([("mixed", "di", None, "unsure")])["d1"] == ("di", "")


def test_a_duplicate_is_removed_as_such_even_if_it_is_an_outlier():
    resolved = labels([("duplicate", "a4", "a1", "yes"), ("outlier", "a4", "ana", "yes")])
    assert resolved["a4"] == (None, "duplicate")


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        ([("outlier", "a1", "ana", "yes")], "outlier"),
        ([("outlier", "a1", "ana", "no")], "duplicate"),
        ([("mixed", "ana", None, "yes")], "mixed"),
        ([("poor", "a1", None, "yes")], "poor"),
        ([("overlap", "ana", "t", "yes")], "overlap"),
        ([("misplaced", "a1", "cy", "yes")], "duplicate"),
        ([("misplaced", "a1", "cy", "yes"), ("overlap", "cy", "t", "yes")], "misplaced"),
        ([("duplicate", "a1", "a3", "yes"), ("outlier", "a3", "ana", "yes")], "outlier"),
    ],
)
def test_a_duplicate_of_a_photo_that_is_removed_has_its_reason(findings, reason):
    """`duplicate` says that the same picture is kept."""
    resolved = labels([("duplicate", "a4", "a1", "yes"), *findings])
    assert resolved["a4"] == (None, reason)
    assert (resolved["a1"][0] is None) == (reason != "duplicate")


def test_a_single_picture_that_comes_twice_is_too_few():
    resolved = labels([("duplicate", "d2", "d1", "yes")])
    assert {resolved[f] for f in ("d1", "d2")} == {(None, "too_few")}


def test_of_a_conflict_in_a_merged_person_that_is_removed_no_photo_counts_as_duplicate():
    findings = [("conflict", "b1", "c1", "unsure"), ("merge", "bo", "cy", "yes"), ("overlap", "cy", "t", "yes")]
    assert labels(findings)["b1"] == (None, "overlap")


def test_a_conflict_is_a_duplicate_when_the_identities_are_merged():
    findings = [("conflict", "b1", "c1", "unsure")]
    assert labels(findings)["b1"] == ("bo", "")
    both = labels(findings, undecided="drop")
    assert (both["b1"], both["c1"]) == ((None, "conflict"),) * 2
    assert labels([*findings, ("merge", "bo", "cy", "yes")])["b1"] == (None, "duplicate")


def test_of_a_conflict_the_photo_that_was_relabelled_is_removed():
    resolved = labels([("conflict", "b1", "a4", "unsure"), ("misplaced", "a4", "bo", "yes")])
    assert resolved["b1"] == ("bo", "")
    assert resolved["a4"] == (None, "misplaced")


def test_persons_of_a_test_set_are_removed_with_all_they_are_merged_with():
    resolved = labels([("overlap", "cy", "Cy of the test set", "yes"), ("merge", "bo", "cy", "yes")])
    assert {resolved[f] for f in ("b1", "b2", "b3", "c1", "c2")} == {(None, "overlap")}
    assert labels([("overlap", "a2", "some photo", "yes")])["a2"] == (None, "overlap")


def test_a_relabelled_face_whose_new_person_is_removed_stays_misplaced():
    resolved = labels([("misplaced", "a4", "cy", "yes"), ("overlap", "cy", "t", "yes")])
    assert resolved["a4"] == (None, "misplaced")


def test_identities_with_too_few_photos_are_removed():
    resolved = labels([("outlier", "d2", "di", "yes")])
    assert resolved["d1"] == (None, "too_few")
    assert labels([("outlier", "d2", "di", "yes")], min_faces=1)["d1"] == ("di", "")


def test_an_unknown_option_for_undecided_findings_is_an_error():
    with pytest.raises(ValueError, match="keep or drop"):
        labels([], undecided="perhaps")


SUBJECTS = st.sampled_from([*FACES, "ana", "bo", "cy", "di", "ana~a7", "nobody"])
FINDINGS = st.lists(
    st.tuples(st.sampled_from(KINDS), SUBJECTS, SUBJECTS, st.sampled_from(["yes", "no", "unsure"]), st.integers(0, 9)),
    max_size=25,
    unique_by=lambda q: q[:3],
)


@settings(max_examples=150, deadline=None)
@given(FINDINGS, st.integers(0, 99), st.sampled_from(["keep", "drop"]), st.integers(1, 3), st.sets(SUBJECTS))
def test_every_photo_is_kept_or_has_a_reason_and_order_changes_nothing(findings, order, undecided, min_faces, people):
    resolved = labels(findings, undecided=undecided, min_faces=min_faces, people=people)
    assert set(resolved) == set(FACES)
    assert all(identity is not None or reason for identity, reason in resolved.values())
    assert labels(findings, order=order, undecided=undecided, min_faces=min_faces, people=people) == resolved
