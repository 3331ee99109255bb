"""The scores that mixtures are fitted to: each face once, whichever other identities are in its shard."""

import numpy as np
import pyarrow as pa

from pipeline.noise.outliers.mixture_table import person_scores
from tests.builders.tables.drawn_vectors import PLAIN


def clusters(numbers: dict[str, list[int]]) -> pa.Table:
    """A face for each number: its cluster within its identity."""
    rows = [(f"{identity}{i}", identity, c) for identity, of in numbers.items() for i, c in enumerate(of)]
    ids, identities, cluster = zip(*rows, strict=True)
    scores = pa.array(np.full(len(rows), 5.0), pa.float32())
    columns = {"face_id": ids, "identity": identities, "cluster": pa.array(cluster, pa.int32()), "core": scores}
    return pa.table(columns)


def persons(*rows: tuple[str, int, int, int]) -> pa.Table:
    identity, cluster, size, of = zip(*rows, strict=True)
    return pa.table({"identity": identity, "cluster": cluster, "size": size, "of": of})


def counted(table: pa.Table, people: pa.Table) -> list[bool]:
    copies = pa.table({"copy_of": pa.nulls(len(table), pa.string())})
    return person_scores(table, copies, people, PLAIN).counted.tolist()


def test_a_further_person_of_an_identity_that_was_not_drawn_leaves_out_no_face() -> None:
    alone = clusters({"a": [0, 0, 0, 0]})
    assert counted(alone, persons(("a", 0, 4, 4))) == [True] * 4
    assert counted(alone, persons(("a", 0, 4, 4), ("b", 0, 5, 9), ("b", 1, 4, 9))) == [True] * 4


def test_faces_of_a_further_person_are_left_out() -> None:
    table = clusters({"a": [0, 0, 0, 1, 1, 1, 2]})
    assert counted(table, persons(("a", 0, 3, 7), ("a", 1, 3, 7))) == [True] * 3 + [False] * 3 + [True]
