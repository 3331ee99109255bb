"""Findings: suspected noise, each with a score and no verdict.

Thresholds and people decide later, so that a threshold can change without repeating the search for noise. Between
stages findings are tables (schema.FINDINGS); code that handles single findings reads them as records.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema


@dataclass(frozen=True)
class Finding:
    """One suspicion about a face, an identity or a person: see schema.FINDINGS."""

    finding_id: str
    kind: str
    subject: str
    object: str | None
    score: float | None  # by the first embedder; of some kinds a correlation or a size; None: nothing to compare with
    second: float | None  # the same score by the second embedder
    evidence: str
    probability: float | None = None  # of an outlier: that the finding is right
    least_probability: float | None = None  # the lowest by the embedders' own scores


def read_findings(table: pa.Table) -> list[Finding]:
    """The rows of a table of findings (schema.FINDINGS) as records."""
    return [Finding(*row) for row in zip(*(table[c].to_pylist() for c in schema.FINDINGS.names), strict=True)]


def findings_table(
    kind: str,
    subjects: Iterable[str],
    objects: Iterable[str | None],
    scores: Sequence[NDArray[Any]],
    evidence: Iterable[str],
    probabilities: Sequence[NDArray[Any]] = (),
) -> pa.Table:
    """A table of n findings of one kind.

    scores: one or two arrays [n], one for each embedder; nan (there was nothing to compare with) becomes null.
    probabilities: none, or two arrays [n] as in schema.FINDINGS, with nan for null.
    """
    subjects, objects = list(subjects), list(objects)
    ids = [schema.finding_id(kind, s, o) for s, o in zip(subjects, objects, strict=True)]
    columns = [pa.array(np.asarray(s, np.float32), pa.float32(), from_pandas=True) for s in scores]
    columns += [pa.nulls(len(ids), pa.float32())] * (2 - len(columns))
    beliefs = [pa.array(np.asarray(p, np.float32), pa.float32(), from_pandas=True) for p in probabilities]
    beliefs += [pa.nulls(len(ids), pa.float32())] * (2 - len(beliefs))
    rows = [ids, [kind] * len(ids), subjects, objects, *columns, list(evidence), *beliefs]
    return pa.table(rows, schema=schema.FINDINGS)


def combine_findings(tables: Iterable[pa.Table]) -> pa.Table:
    """The findings of several tables as one, sorted by kind and id, each finding once."""
    combined = pa.concat_tables([schema.FINDINGS.empty_table(), *tables])
    combined = combined.sort_by([("kind", "ascending"), ("finding_id", "ascending")])
    ids = combined["finding_id"].to_numpy()
    return combined.filter(pa.array(np.append(True, ids[1:] != ids[:-1]))) if len(combined) else combined


def score_columns(findings: pa.Table) -> list[NDArray[np.float64]]:
    """The scores of the findings by the first and by the second embedder, as float64 with nan for null."""
    return [_numbers(findings, c) for c in ("score", "second")]


def probability_columns(findings: pa.Table) -> list[NDArray[np.float64]]:
    """The columns probability and least_probability of the findings, as float64 with nan for null."""
    return [_numbers(findings, c) for c in ("probability", "least_probability")]


def _numbers(findings: pa.Table, column: str) -> NDArray[np.float64]:
    return np.asarray(findings[column].to_numpy(zero_copy_only=False), np.float64)
