"""What a patch states about each of its photos, as arrays: 7 bytes a photo."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.refined.patches.patch_file import Patch
from pipeline.refined.patches.statements import statements


class StatedPhotos(NamedTuple):
    """What a patch states about each of its n photos."""

    stated: NDArray[np.int8]  # see statements.py
    after: NDArray[np.int32]  # [n] the identity, its place in `names`; -1: removed
    reason: NDArray[np.int16]  # [n] place in `reasons`
    names: list[str]  # of identities: those that photos claim, then those that no photo claims
    reasons: list[str]

    def has_reason(self, word: str) -> NDArray[np.bool_]:
        """Which photos [n] have this reason."""
        return np.asarray(self.reason == (self.reasons.index(word) if word in self.reasons else -1))


def read_stated(patch: Patch, names: list[str]) -> StatedPhotos:
    """What a patch states; names: of the identities that its photos claim."""
    codes = {name: i for i, name in enumerate(names)}
    reasons: dict[str, int] = {}
    parts = []
    for rows in patch.batches():
        after = [-1 if name is None else codes.setdefault(name, len(codes)) for name in rows["after"].to_pylist()]
        reason = [reasons.setdefault(word, len(reasons)) for word in rows["reason"].to_pylist()]
        parts.append((statements(rows), np.array(after, np.int32), np.array(reason, np.int16)))
    empty = (np.zeros(0, np.int8), np.zeros(0, np.int32), np.zeros(0, np.int16))
    stated, after_codes, reason_codes = (np.concatenate(column) for column in zip(empty, *parts, strict=True))
    return StatedPhotos(stated, after_codes, reason_codes, list(codes), list(reasons))


def merged_groups(photos: StatedPhotos, claimed: NDArray[np.int32]) -> dict[int, frozenset[int]]:
    """By identity the identities that a patch merged into it, itself among them.

    claimed [n]: the identity that each photo claims.
    """
    merged = photos.has_reason("merge") & (photos.after >= 0)
    groups: dict[int, set[int]] = {}
    for after, before in np.unique(np.stack([photos.after[merged], claimed[merged]], axis=1), axis=0).tolist():
        groups.setdefault(after, {after}).add(before)
    return {after: frozenset(group) for after, group in groups.items()}
