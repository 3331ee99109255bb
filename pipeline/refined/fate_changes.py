"""What a new labelling changed: how many photos went from which outcome to which."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from pipeline.refinement import Refinement
from pipeline.tables.columns import texts
from pipeline.tables.table import read_shard


class FateChange(NamedTuple):
    """Photos whose outcome changed: "kept", "kept: REASON" for relabelled ones, or the reason of the removal."""

    before: str
    after: str
    photos: int


def fate_changes(before: Refinement, after: Refinement) -> list[FateChange]:
    """The changes from one labelling to another of the same photos, the most photos first; read shard by shard.

    A photo that is kept under another identity than before for the same reason counts, too.
    """
    if before.labels.address == after.labels.address:
        return []
    changes: Counter[tuple[str, str]] = Counter()
    columns = ["identity", "reason"]
    for old, new in zip(before.labels.shards, after.labels.shards, strict=True):
        rows = [read_shard(r.root, shard, columns) for r, shard in ((before, old), (after, new))]
        identities, reasons = ([texts(table[c]) for table in rows] for c in columns)
        differs = (identities[0] != identities[1]) | (reasons[0] != reasons[1])
        for i in np.flatnonzero(differs).tolist():
            fates = [_fate(identity[i], reason[i]) for identity, reason in zip(identities, reasons, strict=True)]
            changes[fates[0], fates[1]] += 1
    return [FateChange(*fates, n) for fates, n in sorted(changes.items(), key=lambda change: (-change[1], change[0]))]


def _fate(identity: str | None, reason: str | None) -> str:
    if identity is None:
        return str(reason)
    return f"kept: {reason}" if reason else "kept"
