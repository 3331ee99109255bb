"""Decisions of people as a table that a labelling can be made with, and a refinement labelled anew with them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline import schema
from pipeline.build import Workers, build
from pipeline.noise.stages import Noise
from pipeline.refined.account import Account, account
from pipeline.refined.labels import label
from pipeline.refined.latest import Refinement, publish
from pipeline.table import Table


class Answer(NamedTuple):
    """A verdict (yes, no or unsure) on a finding, and whose it is."""

    finding_id: str
    verdict: str
    who: str


def answers(root: str, given: Iterable[Answer]) -> Table:
    """The decisions table of some answers."""
    rows = sorted(tuple(a) for a in given)
    return build(root, "answers", answers_shard, [rows], schema=schema.DECISIONS)


def answers_shard(part: list[tuple[str, str, str]]) -> pa.Table:
    """The answers as rows; when and in how many seconds they were given is not known."""
    rows = [{"finding_id": f, "verdict": v, "who": w} for f, v, w in part]
    return pa.Table.from_pylist(rows, schema=schema.DECISIONS)


def label_again(root: str, done: Refinement, given: Table, *, workers: Workers = None) -> tuple[Refinement, Account]:
    """The refinement with people's answers in place of the policy's verdicts, published in its root."""
    noise = noise_of(done.tables, done.thresholds)
    params = done.params
    labels, decisions = label(root, done.tables["photos"], noise, undecided=params["undecided"],
                              min_faces=params["min_faces"], answers=given, workers=workers)  # fmt: skip
    found = account(labels.batches(), ingested=len(done.tables["photos"]))
    tables = done.tables | {"labels": labels, "decisions": decisions, "answers": given}
    return publish(root, tables, params=params, thresholds=done.thresholds, account=found), found


def noise_of(tables: Mapping[str, Table], thresholds: Mapping[str, Any]) -> Noise:
    """What `stages.find` gave, from a refinement's tables."""
    made = (tables["calibration"], tables["copies"], tables["clusters"], tables["persons"], tables["findings"])
    return Noise(*made, dict(thresholds))
