"""Findings as a table: one row for each suspicion, with a score for later thresholds and words for people."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema


def findings(
    kind: str,
    subject: Iterable[str],
    object: Iterable[str | None],
    scores: Sequence[NDArray[Any]],
    evidence: Iterable[str],
) -> pa.Table:
    """The findings of one kind, row by row; scores: the number as each embedder sees it, one or two arrays [n].

    A score that is nan (nothing to compare with) becomes null.
    """
    subjects, objects = list(subject), list(object)
    ids = [schema.finding_id(kind, s, o) for s, o in zip(subjects, objects, strict=True)]
    numbers = [pa.array(np.asarray(s, np.float32), pa.float32(), from_pandas=True) for s in scores]
    numbers += [pa.nulls(len(ids), pa.float32())] * (2 - len(numbers))
    return pa.table([ids, [kind] * len(ids), subjects, objects, *numbers, list(evidence)], schema=schema.FINDINGS)


def gathered(tables: Iterable[pa.Table]) -> pa.Table:
    """Findings of several kinds as one table, sorted by kind and id, each once."""
    whole = pa.concat_tables([schema.FINDINGS.empty_table(), *tables])
    order = whole.sort_by([("kind", "ascending"), ("finding_id", "ascending")])
    ids = order["finding_id"].to_numpy()
    return order.filter(pa.array(np.append(True, ids[1:] != ids[:-1]))) if len(order) else order


def numbers(table: pa.Table) -> list[NDArray[np.float64]]:
    """The two numbers of each finding as float64, nan for null."""
    return [table[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in ("score", "second")]
