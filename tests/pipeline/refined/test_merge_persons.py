"""Which persons are one, by hand."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.refined.merge_persons import Edge, unite


def test_being_one_is_transitive_where_every_pair_was_found():
    edges = [Edge(0, 1, 9, "yes"), Edge(1, 2, 8, "yes"), Edge(0, 2, 6, "unsure")]
    assert unite(4, edges).tolist() == [0, 0, 0, 3]


def test_a_chain_of_likenesses_is_not_one_person():
    edges = [Edge(0, 1, 9, "yes"), Edge(1, 2, 8, "yes")]
    assert unite(3, edges).tolist() == [0, 0, 2]


def test_a_no_keeps_apart_whatever_else_was_said():
    edges = [Edge(0, 1, 9, "yes"), Edge(1, 2, 8, "yes"), Edge(0, 2, 7, "no")]
    assert unite(3, edges).tolist() == [0, 0, 2]


def test_unsure_unites_nobody():
    assert unite(2, [Edge(0, 1, 9, "unsure")]).tolist() == [0, 1]


VERDICTS = st.sampled_from(["yes", "no", "unsure"])
EDGES = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 50), VERDICTS)


@given(st.lists(EDGES, unique_by=lambda e: frozenset(e[:2])), st.randoms())
def test_the_order_of_edges_changes_nothing_and_no_denied_pair_is_united(edges, random):
    made = [Edge(*e) for e in edges if e[0] != e[1]]
    group = unite(8, made)
    shuffled = list(made)
    random.shuffle(shuffled)
    assert unite(8, shuffled).tolist() == group.tolist()
    found = {frozenset(e[:2]) for e in made if e.verdict != "no"}
    for i in range(8):
        for j in range(i):
            assert group[i] != group[j] or frozenset((i, j)) in found
