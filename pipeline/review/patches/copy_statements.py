"""What a patch states about the photos of a copy, after the photos and identities of both were matched."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.refined.patches.indexed_photos import IndexedPhotos
from pipeline.refined.patches.match_photos import Matches
from pipeline.refined.patches.stated_photos import StatedPhotos, merged_groups
from pipeline.refined.patches.statements import SHOWS


@dataclass(frozen=True)
class CopyStatements:
    """What a patch states about the photos of the copy, row by row. target: the identity that a photo shows, -1: none.

    merged: groups of identities that are one person; split: the rows of an identity's second person, by identity.
    """

    stated: NDArray[np.int8]
    target: NDArray[np.int32]
    merged: list[list[int]]
    split: dict[int, list[int]]


def copy_statements(
    photos: StatedPhotos, listed: IndexedPhotos, matches: Matches, rows: NDArray[np.int64], copy: IndexedPhotos
) -> CopyStatements:
    """The statements of a patch about a copy's photos. listed: the patch's photos; rows: those that count."""
    stated, target = np.zeros(len(copy), np.int8), np.full(len(copy), -1, np.int32)
    # the copy's identity of each that the patch names, -1 for the ones that no photo claims; the last one: removed
    identity = np.full(len(photos.names) + 1, -1, np.int32)
    identity[: len(matches.identity)] = matches.identity
    place, shows = matches.row[rows], photos.stated[rows] == SHOWS
    merge, split = (photos.has_reason(word)[rows] & shows for word in ("merge", "split"))
    claimed = copy.identity[place]
    stated[place] = photos.stated[rows]
    target[place] = np.where(merge, claimed, np.where(split, -1, identity[photos.after[rows]]))
    groups = merged_groups(photos, listed.identity).values()
    merged = sorted(sorted({int(identity[i]) for i in group} - {-1}) for group in groups)
    second: dict[int, list[int]] = {}
    order = np.argsort(place[split])
    for name, row in zip(claimed[split][order].tolist(), place[split][order].tolist(), strict=True):
        second.setdefault(name, []).append(row)
    return CopyStatements(stated, target, merged, second)
