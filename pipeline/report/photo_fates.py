"""What became of each photo of the identities that changed most."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refinement import Refinement
from pipeline.report.counts import KEPT, RELABELLED, REMOVED, IdentityCounts

LISTED_PHOTOS = 10_000  # of all identities together; they take about a megabyte of the page


class PhotoFate(NamedTuple):
    """A photo, what became of it, and its identity now; "" where it was removed."""

    key: str
    outcome: str
    identity: str


def photo_fates(
    refinement: Refinement, identities: Sequence[IdentityCounts], *, most: int = LISTED_PHOTOS
) -> dict[str, list[PhotoFate]]:
    """The photos claimed as an identity and those relabelled as it, by identity, in the order of their keys.

    identities: the most changed first; as many are listed as have `most` photos together.
    """
    wanted: list[str] = []
    photos = 0
    for counts in identities:
        photos += counts.claimed + counts.relabelled_from_others
        if photos > most:
            break
        wanted += [counts.identity] if counts.identity else []
    names, known = pa.array(wanted, pa.string()), set(wanted)
    fates: dict[str, list[PhotoFate]] = defaultdict(list)
    columns = ("key", "claimed", "identity", "reason")
    for labels in refinement.labels.batches(columns):
        rows = labels.filter(pc.or_(*(pc.is_in(labels[c], value_set=names) for c in ("claimed", "identity"))))
        for key, claimed, identity, reason in zip(*(rows[c].to_pylist() for c in columns), strict=True):
            if identity is None:
                fate = PhotoFate(key, f"{REMOVED}: {reason}", "")
            elif identity == claimed:
                fate = PhotoFate(key, KEPT, identity)
            else:
                fate = PhotoFate(key, f"{RELABELLED}: {reason}, claimed as {claimed}", identity)
            for name in {claimed, identity} & known:
                fates[name].append(fate)
    return {name: sorted(fates[name]) for name in wanted}
