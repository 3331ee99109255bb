"""Labels and truth as arrays of codes, photo by photo: what a score counts."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.refined.scoring.known_truth import WRONG_LABEL, Codes, Truth

Mask = NDArray[np.bool_]
NOT_NOISE = ("duplicate", "conflict", "overlap", "too_few")  # reasons that do not say "this is not the person"


class ScoredPhotos:
    """Labels and truth as arrays [n] of codes, and what follows for each photo."""

    def __init__(self, table: pa.Table, truth: Truth) -> None:
        self.kind, self.kinds = _coded(pa.array(truth.kind, pa.string()))
        self.claimed, self.claimed_names = _coded(pa.array(truth.claimed, pa.string()))
        self.person, self.person_names = _coded(pa.array(truth.person, pa.string()))
        self.identity, self.identities = _coded(table["identity"].combine_chunks())
        self.reason, self.reasons = _coded(table["reason"].combine_chunks())
        self.original = truth.original
        self.kept = self.identity >= 0
        self.removed_as_noise = ~self.kept & ~self.removed_for(*NOT_NOISE)
        voters = self.kept & self.of("clean", "duplicate")
        self.owner = _largest(self.identity[voters], self.person[voters])
        self.right = self.kept & (_looked_up(self.identity, self.owner) == self.person)
        self.homes = self._homes()
        self.relabelled = self._relabelled()

    def of(self, *kinds: str) -> Mask:
        """Which photos are of these kinds [n]."""
        return np.isin(self.kind, [i for i, kind in enumerate(self.kinds) if kind in kinds])

    def removed_for(self, *reasons: str) -> Mask:
        """Which photos were removed for one of these reasons [n]."""
        return ~self.kept & np.isin(self.reason, [i for i, reason in enumerate(self.reasons) if reason in reasons])

    def stopped(self) -> Mask:
        """Photos removed, wrong labels that are right now, duplicates of which either picture is gone [n]."""
        gone = ~self.kept
        stopped = gone | (self.of(*WRONG_LABEL) & self.right)
        paired = self.of("duplicate") & (self.original >= 0)
        stopped[paired] |= gone[self.original[paired]]
        return np.asarray(stopped, np.bool_)

    def _homes(self) -> dict[tuple[int, int], int]:
        """By claimed name and person the identity to which most of its clean photos went."""
        clean, persons = self.kept & self.of("clean"), len(self.person_names) + 1
        largest = _largest(self.claimed[clean] * persons + self.person[clean], self.identity[clean])
        return {divmod(pair, persons): identity for pair, identity in largest.items()}

    def _relabelled(self) -> Mask:
        """Photos kept elsewhere than most clean photos of their claimed name [n].

        A name that was split or merged moves photos as a whole; that alone relabels none of them.
        """
        identities = len(self.identities) + 1
        homes = np.array([claimed * identities + i for (claimed, _), i in self.homes.items()], np.int64)
        has_home = np.isin(self.claimed, homes // identities)
        return self.kept & has_home & ~np.isin(self.claimed * identities + self.identity, homes)


def _coded(column: pa.Array) -> tuple[Codes, list[str]]:
    """Each value's code, in order of first appearance, -1 for null; and the values."""
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, encoded.dictionary.to_pylist()


def _largest(group: Codes, value: Codes) -> dict[int, int]:
    """The most frequent value of each group; of equally frequent ones the one that appears first."""
    if not len(group):
        return {}
    pairs, first, count = np.unique(np.stack([group, value]), axis=1, return_index=True, return_counts=True)
    order = np.lexsort((first, -count, pairs[0]))
    groups, at = np.unique(pairs[0][order], return_index=True)
    return dict(zip(groups.tolist(), pairs[1][order][at].tolist(), strict=True))


def _looked_up(codes: Codes, values: Mapping[int, int]) -> Codes:
    """The value of each code, -2 where there is none."""
    table = np.full(max([*values, int(codes.max(initial=-1))], default=-1) + 2, -2, np.int64)
    for code, value in values.items():
        table[code] = value
    return table[codes]  # the code -1 reads the last place, which holds -2
