"""Groups of annotators: which group is asked about which identity. Groups never leave with the data.

The groups are the user's own words, from the user's own file. An identity without one goes to `general`, or, on
request, to the group of most of its nearest neighbours.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.noise.person_gallery import read_persons
from pipeline.noise.search.candidates import nearest_pairs
from pipeline.refinement import Refinement

GENERAL = "general"  # the group of identities without one
NEIGHBOURS = 10  # nearest persons with a group that vote
MIN_VOTE_SHARE = 0.6  # that a proposed group needs


class KnownIdentity(NamedTuple):
    """What the user's file says of an identity: its group, and what pages call it."""

    group: str
    title: str


class GroupProposal(NamedTuple):
    """The group that the neighbours of an identity vote for, and its share of the votes."""

    group: str
    share: float


def read_groups(path: str | Path) -> dict[str, KnownIdentity]:
    """Group and title by identity, from a CSV or Parquet file with the columns identity, group and any others to show.

    Raises UserError when the file cannot be read, lacks a column, or gives an identity two groups.
    """
    known: dict[str, KnownIdentity] = {}
    for line, row in enumerate(_read_table(Path(path)), start=2):
        identity, group = (str(row.get(c) or "").strip() for c in ("identity", "group"))
        if not identity:
            raise UserError(f"{path}, row {line}: no identity; every row needs one")
        shown = [str(v) for k, v in row.items() if k not in ("identity", "group") and v not in (None, "")]
        entry = KnownIdentity(group or GENERAL, " · ".join([*shown, identity]))
        if identity in known and known[identity].group != entry.group:
            raise UserError(f"{path}, row {line}: {identity} has two groups, {known[identity].group} and {entry.group}")
        known[identity] = entry
    return known


def _read_table(path: Path) -> list[dict[str, object]]:
    try:
        if path.suffix == ".parquet":
            rows: list[dict[str, object]] = pq.read_table(path).to_pylist()
        else:
            with open(path, newline="", encoding="utf-8-sig") as stream:
                rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise UserError(f"cannot read the groups in {path} ({error}): give a CSV or Parquet file") from None
    if not rows or not {"identity", "group"} <= set(rows[0]):
        raise UserError(f"{path} has no columns identity and group: they say which group is asked about whom")
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
    annotators: dict[str, list[str]] = {}
    for row in rows:
        annotators.setdefault((row["group"] or "").strip() or GENERAL, []).append((row["annotator"] or "").strip())
    return annotators


def propose_groups(refinement: Refinement, known: Mapping[str, KnownIdentity]) -> dict[str, GroupProposal]:
    """Groups for identities that have none, by vote of the NEIGHBOURS nearest persons that have one."""
    persons = read_persons(refinement.root, refinement.persons.shards, refinement.calibration.shards[0])
    grouped = np.array([i in known and known[i].group != GENERAL for i in persons.identity.tolist()], bool)
    if not grouped.any() or grouped.all():
        return {}
    k = min(NEIGHBOURS, int(grouped.sum()))
    i, j = nearest_pairs([persons.indexes[0].x[~grouped]], [persons.indexes[0][grouped]], k=k)
    asking, voting = persons.identity[~grouped][i].tolist(), persons.identity[grouped][j].tolist()
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for identity, neighbour in zip(asking, voting, strict=True):
        votes[identity][known[neighbour].group] += 1
    proposals = {}
    for identity, count in sorted(votes.items()):
        (group, n), total = count.most_common(1)[0], count.total()
        if n / total >= MIN_VOTE_SHARE:
            proposals[identity] = GroupProposal(group, n / total)
    return proposals
