"""Who is asked: the group of annotators that knows such faces. For routing only; groups never leave with the data.

The groups are the user's own words, from the user's own file. An identity without one goes to `general`, or, when
asked for, to the group of most of its nearest neighbours.
"""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.noise.persons import likest, read_persons
from pipeline.refinement import Refinement

GENERAL = "general"
NEIGHBOURS = 10  # persons with a known group that vote
MAJORITY = 0.6  # share of them that a proposal needs


class Known(NamedTuple):
    """What the user says of an identity: its group, and how it is called on a page."""

    group: str
    title: str


def read_groups(path: str | Path) -> dict[str, Known]:
    """Groups by identity, from a CSV or Parquet file with the columns identity, group and any others to show.

    Raises UserError when the file is not there, is neither, lacks a column, or names an identity twice with two groups.
    """
    rows = _rows(Path(path))
    found: dict[str, Known] = {}
    for line, row in enumerate(rows, start=2):
        identity, group = (str(row.get(c) or "").strip() for c in ("identity", "group"))
        if not identity:
            raise UserError(f"{path}, row {line}: no identity; every row needs one")
        more = [str(v) for k, v in row.items() if k not in ("identity", "group") and v not in (None, "")]
        known = Known(group or GENERAL, " · ".join([*more, identity]))
        if identity in found and found[identity].group != known.group:
            raise UserError(f"{path}, row {line}: {identity} has two groups, {found[identity].group} and {known.group}")
        found[identity] = known
    return found


def _rows(path: Path) -> list[dict[str, object]]:
    try:
        if path.suffix == ".parquet":
            rows: list[dict[str, object]] = pq.read_table(path).to_pylist()
        else:
            with open(path, newline="", encoding="utf-8-sig") as stream:
                rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise UserError(f"cannot read the groups in {path} ({error}): give a CSV or Parquet file") from None
    if not rows or not {"identity", "group"} <= set(rows[0]):
        raise UserError(f"{path} has no columns identity and group: they say who is asked about whom")
    return rows


def read_roster(path: str | Path) -> dict[str, list[str]]:
    """Annotators' email addresses by group, from a CSV file with the columns group and annotator."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeError, csv.Error) as error:
        raise UserError(f"cannot read the roster {path} ({error}): give a CSV file") from None
    if not rows or not {"group", "annotator"} <= set(rows[0]):
        raise UserError(f"{path} has no columns group and annotator: they say who annotates for which group")
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault((row["group"] or "").strip() or GENERAL, []).append((row["annotator"] or "").strip())
    return found


class Proposal(NamedTuple):
    """A group by vote of the neighbours, and the vote's share."""

    group: str
    share: float


def propose(root: str, done: Refinement, known: Mapping[str, Known]) -> dict[str, Proposal]:
    """Groups for identities that have none, by vote of the NEIGHBOURS likest persons that have one."""
    model = done.calibration.shards[0]
    persons = read_persons(root, done.persons.shards, model)
    has = np.array([i in known and known[i].group != GENERAL for i in persons.identity.tolist()], bool)
    if not has.any() or has.all():
        return {}
    k = min(NEIGHBOURS, int(has.sum()))
    i, j = likest([persons.around[0].x[~has]], [persons.around[0][has]], k=k)
    asking, voting = persons.identity[~has], persons.identity[has]
    votes: dict[str, Counter[str]] = {}
    for one, other in zip(asking[i].tolist(), voting[j].tolist(), strict=True):
        votes.setdefault(one, Counter())[known[other].group] += 1
    best = {name: (count.most_common(1)[0], count.total()) for name, count in votes.items()}
    shares = {name: Proposal(group, n / of) for name, ((group, n), of) in best.items()}
    return {name: p for name, p in sorted(shares.items()) if p.share >= MAJORITY}
