"""The groups of identities by which a refinement is calibrated, as a table of its root."""

import logging
from collections.abc import Mapping
from itertools import pairwise

from pipeline.errors import UserError
from pipeline.noise.groups.group_calibration import GROUPS, groups_shard
from pipeline.review.answers.listed_photos import identity_finder
from pipeline.review.groups import GENERAL, read_groups
from pipeline.sources.survey import examples
from pipeline.tables.build import build
from pipeline.tables.table import Table

log = logging.getLogger("refinery")


def parse_groups(path: str) -> dict[str, str]:
    """The group of each identity in the file of --groups that has one; none for the path "".

    Raises UserError for a file that cannot be read, lacks a column or gives an identity two groups.
    """
    known = read_groups(path) if path else {}
    return {identity: entry.group for identity, entry in known.items() if entry.group != GENERAL}


def build_groups(root: str, photos: Table, groups: Mapping[str, str]) -> Table | None:
    """The table of the groups of those identities that are in the data; None where none of them has a group.

    groups: by identity as the user's file spells it. The table's address depends on the identities of the data and
    their groups, and on nothing else in the file. Raises UserError for an identity that the file spells in two ways and
    gives two groups.
    """
    if not groups:
        return None
    claimed = {name for rows in photos.batches(["identity"]) for name in rows["identity"].unique().to_pylist()}
    find = identity_finder(name for name in claimed if name is not None)
    found = {name: identity for name in groups if (identity := find(name)) is not None}
    unknown = [name for name in groups if name not in found]
    if unknown:
        log.warning("%d identities with a group are not in the data: %s", len(unknown), examples(unknown))
    if not found:
        in_data = examples(sorted(name for name in claimed if name is not None))
        log.warning("no identity of the data has a group: give names as the data spells them, such as %s", in_data)
        return None
    part = sorted({(identity, groups[name]) for name, identity in found.items()})
    for (identity, group), (next_identity, other) in pairwise(part):
        if identity == next_identity:
            raise UserError(f"--groups: {identity} has two groups under two spellings, {group} and {other}: leave one")
    return build(root, "groups", groups_shard, [part], schema=GROUPS)


def groups_of(table: Table | None) -> dict[str, str]:
    """The group of each identity in a table of groups; None: there is none."""
    rows = [] if table is None else table.read().to_pylist()
    return {row["identity"]: row["group"] for row in rows}
