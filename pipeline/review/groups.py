"""Groups of annotators: which group of annotators answers questions about which identity.

The user's file gives each identity a group. Identities without a group go to the group `general`, or, on request, to
the group that most of their nearest neighbours have. Groups are never exported.
"""

import logging
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
from pipeline.review.answers.listed_photos import identity_finder
from pipeline.sources.survey import examples
from pipeline.sources.text_lists import read_table

log = logging.getLogger("refinery")

GENERAL = "general"  # the group of identities that the user's file gives no group
NEIGHBOURS = 10  # the nearest persons with a group, which vote on the group of an identity
MIN_VOTE_SHARE = 0.6  # share of these votes that a group needs to be proposed


class GroupedIdentity(NamedTuple):
    """An identity in the user's file: its group, and the title that pages show for it."""

    group: str
    title: str


class GroupProposal(NamedTuple):
    """The group that most nearest neighbours of an identity have, and its share of their votes."""

    group: str
    share: float


def read_groups(path: str | Path) -> dict[str, GroupedIdentity]:
    """Group and title of each identity in a CSV or Parquet file.

    The file has the columns identity and group; all its other columns are part of the title that annotators see.
    Raises UserError when the file cannot be read, lacks a column, or gives an identity two groups.
    """
    grouped: dict[str, GroupedIdentity] = {}
    for line, row in enumerate(_read_table(Path(path)), start=2):
        written, group = str(row.get("identity") or ""), str(row.get("group") or "").strip()
        identity = written.strip() or written  # a folder may be called by a blank
        if not identity:
            raise UserError(f"{path}, row {line}: no identity: give one in every row")
        shown = [str(v) for k, v in row.items() if k not in ("identity", "group") and v not in (None, "")]
        entry = GroupedIdentity(group or GENERAL, " · ".join([*shown, identity]))
        if identity in grouped and grouped[identity].group != entry.group:
            raise UserError(
                f"{path}, row {line}: {identity} has two groups, {grouped[identity].group} and {entry.group}: leave one"
            )
        grouped[identity] = entry
    return grouped


def _read_table(path: Path) -> list[dict[str, object]]:
    try:
        is_parquet = path.suffix == ".parquet"
        columns = ("identity", "group")
        rows: list[dict[str, object]] = pq.read_table(path).to_pylist() if is_parquet else read_table(path, columns)
    except (OSError, ValueError, UserError, pa.ArrowException) as error:
        raise UserError(f"cannot read the groups in {path} ({error}): give a CSV or Parquet file") from None
    if not rows or not {"identity", "group"} <= set(rows[0]):
        raise UserError(
            f"{path} has no columns identity and group: give both; the group's annotators are asked about the identity"
        )
    return rows


def groups_in_data(
    refinement: Refinement, grouped_identities: Mapping[str, GroupedIdentity]
) -> dict[str, GroupedIdentity]:
    """The groups of identities that are in the data, by the identity as the data spells it.

    Identities of the file that are not in the data are counted in the log, with examples.
    """
    claimed: set[str | None] = set()
    for rows in refinement.labels.batches(["claimed", "identity"]):
        claimed.update(name for column in rows.columns for name in column.unique().to_pylist())
    find = identity_finder(name for name in claimed if name is not None)
    found = {name: find(name) for name in grouped_identities}
    if unknown := [name for name, identity in found.items() if identity is None]:
        log.warning("%d identities with a group are not in the data: %s", len(unknown), examples(unknown))
    return {identity: grouped_identities[name] for name, identity in found.items() if identity is not None}


def read_roster(path: str | Path) -> dict[str, list[str]]:
    """Annotators' email addresses by group, from a CSV file with the columns group and annotator."""
    try:
        rows = read_table(Path(path), ("group", "annotator"))
    except UserError as error:
        raise UserError(f"cannot read the roster {path} ({error}): give a CSV file") from None
    if not rows or not {"group", "annotator"} <= set(rows[0]):
        raise UserError(f"{path} has no columns group and annotator: give both, a row with the email of each annotator")
    annotators: dict[str, list[str]] = {}
    for row in rows:
        annotators.setdefault((row["group"] or "").strip() or GENERAL, []).append((row["annotator"] or "").strip())
    return annotators


def propose_groups(
    refinement: Refinement, grouped_identities: Mapping[str, GroupedIdentity]
) -> dict[str, GroupProposal]:
    """A group for each identity that has none, by vote of the NEIGHBOURS nearest persons that have one.

    grouped_identities: by identity, as read_groups() returns them.
    Identities whose neighbours agree less than MIN_VOTE_SHARE are left out.
    """
    persons = read_persons(refinement.root, refinement.persons.shards, refinement.calibration.shards[0])
    groups = {identity: entry.group for identity, entry in grouped_identities.items() if entry.group != GENERAL}
    has_group = np.array([identity in groups for identity in persons.identity.tolist()], bool)
    if not has_group.any() or has_group.all():
        return {}
    k = min(NEIGHBOURS, int(has_group.sum()))
    i, j = nearest_pairs([persons.indexes[0].x[~has_group]], [persons.indexes[0][has_group]], k=k)
    identities, neighbours = persons.identity[~has_group][i].tolist(), persons.identity[has_group][j].tolist()
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for identity, neighbour in zip(identities, neighbours, strict=True):
        votes[identity][groups[neighbour]] += 1
    proposals = {}
    for identity, count in sorted(votes.items()):
        (group, n), total = count.most_common(1)[0], count.total()
        if n / total >= MIN_VOTE_SHARE:
            proposals[identity] = GroupProposal(group, n / total)
    return proposals
