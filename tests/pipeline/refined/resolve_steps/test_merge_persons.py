"""Which persons are merged: small cases by hand, and two properties of any findings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.noise.findings import findings_table
from pipeline.refined.resolve_steps.merge_persons import MergeFinding, merge_persons, without_contradictions


def test_merges_are_transitive_where_every_pair_has_a_finding():
    findings = [MergeFinding(0, 1, 9, "yes"), MergeFinding(1, 2, 8, "yes"), MergeFinding(0, 2, 6, "unsure")]
    assert merge_persons(4, findings).tolist() == [0, 0, 0, 3]


def test_a_chain_of_two_findings_does_not_merge_its_ends():
    findings = [MergeFinding(0, 1, 9, "yes"), MergeFinding(1, 2, 8, "yes")]
    assert merge_persons(3, findings).tolist() == [0, 0, 2]


def test_a_denied_pair_is_never_merged_over_a_third_person():
    findings = [MergeFinding(0, 1, 9, "yes"), MergeFinding(1, 2, 8, "yes"), MergeFinding(0, 2, 7, "no")]
    assert merge_persons(3, findings).tolist() == [0, 0, 2]


def test_identities_of_one_person_are_merged_although_some_pairs_were_not_found():
    found = [(0, 1), (0, 2), (1, 2), (2, 3), (1, 3), (3, 4), (0, 4), (2, 4)]  # of five names; not 0-3 and 1-4
    findings = [MergeFinding(i, j, 20 - k, "yes") for k, (i, j) in enumerate(found)]
    assert merge_persons(6, findings).tolist() == [0, 0, 0, 0, 0, 5]
    assert merge_persons(6, findings[::-1]).tolist() == [0, 0, 0, 0, 0, 5]
    denied = [*findings, MergeFinding(0, 3, 1, "no")]
    assert merge_persons(6, denied)[3] != merge_persons(6, denied)[0]


def test_a_merge_that_contradicts_others_is_a_question():
    rows = [("A", "B", 9.0), ("B", "C", 8.0), ("D", "E", 7.0)]
    table = findings_table(
        "merge", [a for a, _, _ in rows], [b for _, b, _ in rows], [np.array([z for *_, z in rows])], ["", "", ""]
    )
    verdicts = np.array(["yes", "yes", "yes"], object)
    assert without_contradictions(table, verdicts).tolist() == ["yes", "unsure", "yes"], "A with C was not found"
    assert verdicts.tolist() == ["yes", "yes", "yes"]


def test_an_undecided_finding_merges_no_persons():
    assert merge_persons(2, [MergeFinding(0, 1, 9, "unsure")]).tolist() == [0, 1]


VERDICTS = st.sampled_from(["yes", "no", "unsure"])
FINDINGS = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 50), VERDICTS)


@given(st.lists(FINDINGS, unique_by=lambda e: frozenset(e[:2])), st.randoms())
def test_the_order_of_findings_changes_nothing_and_no_denied_pair_is_merged(rows, random):
    distinct = [MergeFinding(*row) for row in rows if row[0] != row[1]]
    group = merge_persons(8, distinct)
    shuffled = list(distinct)
    random.shuffle(shuffled)
    assert merge_persons(8, shuffled).tolist() == group.tolist()
    denied = {frozenset(f[:2]) for f in distinct if f.verdict == "no"}
    for i in range(8):
        for j in range(i):
            assert group[i] != group[j] or frozenset((i, j)) not in denied
