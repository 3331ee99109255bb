"""Which persons are merged: small cases by hand, and two properties of any findings."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.refined.resolve_steps.merge_persons import MergeFinding, merge_persons


def test_merges_are_transitive_where_every_pair_has_a_finding():
    findings = [MergeFinding(0, 1, 9, "yes"), MergeFinding(1, 2, 8, "yes"), MergeFinding(0, 2, 6, "unsure")]
    assert merge_persons(4, findings).tolist() == [0, 0, 0, 3]


def test_a_chain_of_two_findings_does_not_merge_its_ends():
    findings = [MergeFinding(0, 1, 9, "yes"), MergeFinding(1, 2, 8, "yes")]
    assert merge_persons(3, findings).tolist() == [0, 0, 2]


def test_a_denied_pair_is_never_merged_over_a_third_person():
    findings = [MergeFinding(0, 1, 9, "yes"), MergeFinding(1, 2, 8, "yes"), MergeFinding(0, 2, 7, "no")]
    assert merge_persons(3, findings).tolist() == [0, 0, 2]


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
    allowed = {frozenset(f[:2]) for f in distinct if f.verdict != "no"}
    for i in range(8):
        for j in range(i):
            assert group[i] != group[j] or frozenset((i, j)) in allowed
