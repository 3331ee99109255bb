"""The decisions of a patch of another copy of the data set, and how well the patch fits the data.

Only statements are turned into verdicts (see statements.py), of photos that are matched and that both copies claim to
be the same identity. Where annotators answered about the same finding, their answers count instead of the patch's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refined.patches.indexed_photos import index_photos
from pipeline.refined.patches.make_patch import main_embeddings, model_of, patch_rows
from pipeline.refined.patches.match_photos import match_photos
from pipeline.refined.patches.patch_file import Patch
from pipeline.refined.patches.stated_photos import read_stated
from pipeline.refined.patches.statements import NOTHING
from pipeline.refinement import Refinement
from pipeline.review.answers.lists import ListVerdict
from pipeline.review.patches.copy_statements import copy_statements
from pipeline.review.patches.verdicts import photo_verdicts
from pipeline.sources.survey import EXAMPLES
from pipeline.tables.table import Table


class Listed(NamedTuple):
    """A number of photos of the patch, and the keys of the first of them."""

    photos: int
    keys: list[str]


@dataclass(frozen=True)
class PatchDecisions:
    """The verdicts of a patch on a refinement's findings, and how well the patch fits the data."""

    verdicts: list[ListVerdict]
    photos: int  # of the patch
    by_way: dict[str, int]  # photos that are matched, by the way in which they are
    unmatched: Listed
    other_picture: Listed  # not matched: the photo of the same key is another picture
    not_compared: Listed  # not matched: the photo of the same key has other bytes, and no picture to compare
    erased: Listed  # not matched: the photo of the same key was erased here on request
    several: Listed  # not matched: several photos may be the same one
    claimed_otherwise: Listed  # matched, but under an identity that is not the one in the patch
    left: dict[str, int]  # matched photos about which the patch states nothing that holds in every copy, by reason
    identities: int  # of the patch
    matched_identities: int
    renamed_identities: int  # of those: have another name in the data
    removed: int  # photos that are kept now, and that these verdicts remove
    with_vectors: bool  # whether vectors were compared

    @property
    def matched(self) -> int:
        """Photos of the patch that are in the data."""
        return sum(self.by_way.values())


def patch_decisions(
    refinement: Refinement, patch: Patch, *, hashes: Table | None, by_key: bool = True
) -> PatchDecisions:
    """The verdicts of a patch on a refinement's photos. hashes: of its photos, None: pictures are not compared.

    by_key: whether a photo may be matched by its key. Raises UserError where the patch is damaged.
    """
    vectors = bool(patch.header.dim) and model_of(main_embeddings(refinement)) == (
        patch.header.model,
        patch.header.flip,
    )
    copy = index_photos(patch_rows(refinement, hashes, vectors=vectors), with_vectors=vectors)
    listed = index_photos(patch.batches(), with_vectors=vectors)
    matches = match_photos(listed, copy, by_key=by_key, erased=_erased(refinement))
    stated = read_stated(patch, listed.names)
    found = np.flatnonzero(matches.row >= 0)
    identity = matches.identity
    claimed, there = listed.identity[found], copy.identity[matches.row[found]]
    same_claim = (claimed >= 0) & (there >= 0) & (identity[claimed] == there)
    of_copy = copy_statements(stated, listed, matches, found[same_claim], copy)
    verdicts, removed = photo_verdicts(refinement, of_copy, copy.names)
    otherwise = np.zeros(len(listed), bool)
    otherwise[found[(claimed >= 0) & ~same_claim]] = True
    kinds = [matches.row < 0, matches.other_picture, matches.not_compared, matches.erased, matches.several, otherwise]
    unmatched, other_picture, not_compared, erased, several, claimed_otherwise = _listed(patch, kinds)
    nothing = Counter(stated.reason[found[stated.stated[found] == NOTHING]].tolist())
    mapped = np.flatnonzero(identity >= 0)
    return PatchDecisions(
        verdicts,
        len(listed),
        matches.by_way(),
        unmatched,
        other_picture,
        not_compared,
        erased,
        several,
        claimed_otherwise,
        left={stated.reasons[code] or "unnamed": photos for code, photos in sorted(nothing.items())},
        identities=len(listed.names),
        matched_identities=len(mapped),
        renamed_identities=sum(listed.names[i] != copy.names[identity[i]] for i in mapped.tolist()),
        removed=removed,
        with_vectors=vectors,
    )


def _erased(refinement: Refinement) -> NDArray[np.bool_]:
    """Which photos of a refinement were erased on request, row by row as its labels."""
    shards = (np.asarray(pc.equal(rows["reason"], "erased")) for rows in refinement.labels.batches(["reason"]))
    return np.concatenate([np.zeros(0, bool), *shards])


def _listed(patch: Patch, kinds: Sequence[NDArray[np.bool_]]) -> list[Listed]:
    """For each kind of photos of a patch [n] their number and the first keys."""
    first = [np.flatnonzero(kind)[:EXAMPLES].tolist() for kind in kinds]
    wanted = {row for rows in first for row in rows}
    keys: dict[int, str] = {}
    start = 0
    for table in patch.batches():
        here = [row for row in wanted if start <= row < start + len(table)]
        keys.update((row, table["key"][row - start].as_py()) for row in here)
        start += len(table)
    return [Listed(int(kind.sum()), [keys[row] for row in rows]) for kind, rows in zip(kinds, first, strict=True)]
