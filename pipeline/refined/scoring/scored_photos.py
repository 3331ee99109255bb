"""Labels and truth as arrays of integer codes, photo by photo, on which a score is counted."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.refined.scoring.known_truth import WRONG_LABEL, Codes, Truth

Mask = NDArray[np.bool_]
VOTERS = ("clean", "duplicate")  # kinds of photos that say to whom a refined identity belongs
NOT_NOISE = ("erased", "duplicate", "conflict", "overlap", "too_few")  # reasons other than "this is not the person"


class ScoredPhotos:
    """Labels and truth as arrays [n] of codes, and masks [n] of photos that were treated rightly or wrongly.

    voters: a refined identity belongs to the person who has most photos of these kinds in it.
    person_of_identity: by code of a refined identity the person it belongs to.
    right: photos kept under an identity of the person they show.
    """

    def __init__(self, table: pa.Table, truth: Truth, *, voters: tuple[str, ...] = VOTERS) -> None:
        self.kind, self.kinds = _coded(truth.kind)
        self.claimed, self.claimed_identities = _coded(truth.claimed)
        self.person, self.person_names = _coded(truth.person)
        self.identity, self.identities = _coded(table["identity"])
        self.reason, self.reasons = _coded(table["reason"])
        self.original = truth.original
        self.kept = self.identity >= 0
        self.removed_as_noise = ~self.kept & ~self.removed_for(*NOT_NOISE)
        votes = self.kept & self.of(*voters)
        self.person_of_identity = most_frequent_values(self.identity[votes], self.person[votes])
        self.right = self.kept & (_looked_up(self.identity, self.person_of_identity) == self.person)

    def of(self, *kinds: str) -> Mask:
        """Mask [n] of the photos of these kinds."""
        return np.isin(self.kind, [i for i, kind in enumerate(self.kinds) if kind in kinds])

    def removed_for(self, *reasons: str) -> Mask:
        """Mask [n] of the photos that were removed for one of these reasons."""
        return ~self.kept & np.isin(self.reason, [i for i, reason in enumerate(self.reasons) if reason in reasons])

    def overlap_identities(self) -> list[int]:
        """The codes of claimed identities that were removed because their person is in a test set.

        An identity counts as removed when the photos removed as overlap are at least half as many as its clean photos;
        one of several persons, when that holds for a person of it.
        """
        n = len(self.claimed_identities)
        removed = np.bincount(self.claimed[self.removed_for("overlap")], minlength=n)
        clean = np.bincount(self.claimed[self.of("clean")], minlength=n)
        whole = np.flatnonzero(removed >= np.maximum(1, clean / 2)).tolist()
        return sorted({*whole, *(claimed for claimed, _ in self.overlap_persons)})

    @cached_property
    def overlap_persons(self) -> set[tuple[int, int]]:
        """By codes of claimed identity and person: those of whose clean photos half or more were removed as overlap."""
        clean, persons = self.of("clean"), len(self.person_names) + 1
        pairs, place = np.unique(self.claimed[clean] * persons + self.person[clean], return_inverse=True)
        removed = np.bincount(place[self.removed_for("overlap")[clean]], minlength=len(pairs))
        most = pairs[2 * removed >= np.bincount(place, minlength=len(pairs))]
        return {divmod(pair, persons) for pair in most.tolist()}

    def are_apart(self, claimed: int, persons: Sequence[int]) -> bool:
        """Whether each of a claimed identity's persons, by their codes, has a refined identity of its own.

        Of one person the photos may have been removed as overlap instead.
        """
        identities = [
            -1 if (claimed, person) in self.overlap_persons else self.main_identities.get((claimed, person))
            for person in persons
        ]
        return None not in identities and len(set(identities)) == len(identities)

    def stopped(self) -> Mask:
        """Mask [n] of photos whose noise is gone.

        These are removed photos, wrong labels that were corrected, and duplicates whose original was removed.
        """
        removed = ~self.kept
        stopped = removed | (self.of(*WRONG_LABEL) & self.right)
        paired = self.of("duplicate") & (self.original >= 0)
        stopped[paired] |= removed[self.original[paired]]
        return np.asarray(stopped, np.bool_)

    def stopped_or_apart(self) -> Mask:
        """Mask [n] of photos whose noise is gone, or that are set apart."""
        return np.asarray(self.stopped() | self.set_apart(), np.bool_)

    def set_apart(self) -> Mask:
        """Mask [n] of photos kept under an identity that holds photos of nobody but the person they show."""
        n = len(self.identities)
        persons = np.unique(np.column_stack([self.identity, self.person])[self.kept], axis=0)
        of_one = np.append(np.bincount(persons[:, 0], minlength=n) == 1, False)  # last: of removed photos, -1
        is_named = np.append([name != "" for name in self.person_names], False)
        return np.asarray(of_one[self.identity] & is_named[self.person], np.bool_)

    @cached_property
    def main_identities(self) -> dict[tuple[int, int], int]:
        """By codes of claimed identity and person: the refined identity that has most of their clean photos."""
        clean, persons = self.kept & self.of("clean"), len(self.person_names) + 1
        largest = most_frequent_values(self.claimed[clean] * persons + self.person[clean], self.identity[clean])
        return {divmod(pair, persons): identity for pair, identity in largest.items()}

    @cached_property
    def relabelled(self) -> Mask:
        """Mask [n] of photos kept under another identity than most clean photos of their claimed identity.

        A split or a merge of an identity moves all its photos together; that alone does not count as relabelling.
        """
        n = len(self.identities) + 1
        main = np.array([claimed * n + i for (claimed, _), i in self.main_identities.items()], np.int64)
        has_main_identity = np.isin(self.claimed, main // n)
        return self.kept & has_main_identity & ~np.isin(self.claimed * n + self.identity, main)


def _coded(column: Sequence[str] | pa.ChunkedArray) -> tuple[Codes, list[str]]:
    """The code [n] of each value, numbered by first appearance, -1 for null; and the value of each code."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else pa.array(column, pa.string())
    encoded = array.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, encoded.dictionary.to_pylist()


def most_frequent_values(group: Codes, value: Codes) -> dict[int, int]:
    """The most frequent value of each group, by group; of equally frequent values the one that appears first."""
    if not len(group):
        return {}
    groups, group = np.unique(group, return_inverse=True)  # small numbers: the products below stay in 64 bits
    values = int(value.max()) + 1
    pairs, first, count = np.unique(group * values + value, return_index=True, return_counts=True)
    of_group, of_value = np.divmod(pairs, values)
    order = np.lexsort((first, -count, of_group))
    _, at = np.unique(of_group[order], return_index=True)
    return dict(zip(groups.tolist(), of_value[order][at].tolist(), strict=True))


def _looked_up(codes: Codes, values: Mapping[int, int]) -> Codes:
    """The value [n] of each code in a mapping, -2 for a code that is not in it."""
    table = np.full(max([*values, int(codes.max(initial=-1))], default=-1) + 2, -2, np.int64)
    for code, value in values.items():
        table[code] = value
    return table[codes]  # the code -1 reads the last place, which holds -2
