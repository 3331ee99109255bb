"""The calibration by which each identity of a data set is scored: that of its group, or of the whole population.

Stages ask for it by identity. Without groups all identities have the population's, and nothing is computed otherwise.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.groups.group_calibration import pooled_groups
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats, fuse, pair_scores
from pipeline.noise.scores.score_norm import FaceVectors, take_rows
from pipeline.noise.search.candidates import Matches
from pipeline.tables.table import Shard, read_shard

NO_GROUP = -1
Numbers = NDArray[np.int64]


class GroupShards(NamedTuple):
    """The only shards of the tables groups and group_calibration."""

    groups: Shard
    calibrations: Shard


class Calibrations(NamedTuple):
    """The calibration of the whole population, and those of the groups."""

    whole: Calibration
    names: tuple[str, ...] = ()  # of the groups that are calibrated
    of_groups: tuple[Calibration, ...] = ()  # likewise
    identities: pa.Array | None = None  # those with a group; None: there are none
    group: Numbers | None = None  # the number of the group of each of them, in `names`

    def numbers(self, identity: pa.ChunkedArray | pa.Array) -> Numbers:
        """The number of the group [n] of each identity [n]; NO_GROUP where the population's calibration holds."""
        if self.identities is None or self.group is None:
            return np.full(len(identity), NO_GROUP, np.int64)
        place = pc.index_in(identity, value_set=self.identities, skip_nulls=True).fill_null(-1).to_numpy()
        return np.asarray(np.append(self.group, NO_GROUP)[place])

    def of(self, number: int) -> Calibration:
        """The calibration of a group by its number, or with NO_GROUP of the whole population."""
        return self.whole if number == NO_GROUP else self.of_groups[number]

    def vectors(self, vectors: Sequence[FaceVectors], number: Numbers) -> list[FaceVectors]:
        """The faces' vectors by each embedder, with the impostor statistics of their groups, number [n].

        vectors: with the statistics of the whole population, which faces without a group keep.
        """
        moved = list(vectors)
        for group in np.unique(number[number != NO_GROUP]).tolist():
            rows = np.flatnonzero(number == group)
            stats = all_impostor_stats([v.x[rows] for v in vectors], self.of_groups[group])
            moved = [_with_stats(old, rows, new) for old, new in zip(moved, stats, strict=True)]
        return moved

    def pair_groups(self, one: NDArray[np.object_], two: NDArray[np.object_]) -> Numbers:
        """The number of the group [n] of which both identities one [n] and two [n] are, or NO_GROUP."""
        if self.identities is None:
            return np.full(len(one), NO_GROUP, np.int64)
        a, b = (self.numbers(pa.array(names, pa.string())) for names in (one, two))
        return np.where(a == b, a, NO_GROUP)

    def rescored(
        self,
        matches: Matches,
        one: tuple[Sequence[FaceVectors], NDArray[np.object_]],
        two: tuple[Sequence[FaceVectors], NDArray[np.object_]],
    ) -> Matches:
        """The matches, with pairs of one group scored by its calibration; other pairs keep the population's scores.

        one, two: the vectors by each embedder of the queries and of the gallery, and the identity of each of them.
        """
        if self.identities is None:
            return matches
        pair_group = self.pair_groups(one[1][matches.query], two[1][matches.row])
        scores, fused = [z.copy() for z in matches.scores], matches.fused.copy()
        for group in np.unique(pair_group[pair_group != NO_GROUP]).tolist():
            pairs, calibration = np.flatnonzero(pair_group == group), self.of_groups[group]
            sides = ((one[0], matches.query[pairs]), (two[0], matches.row[pairs]))
            a, b = (all_impostor_stats([take_rows(v, rows).x for v in vectors], calibration) for vectors, rows in sides)
            every = np.arange(len(pairs))
            new = pair_scores(a, every, b, every)
            for old, z in zip(scores, new, strict=True):
                old[pairs] = z
            fused[pairs] = fuse(new, calibration.weights)
        return Matches(matches.query, matches.row, scores, fused)


def _with_stats(old: FaceVectors, rows: Numbers, new: FaceVectors) -> FaceVectors:
    mean, deviation = np.array(old.impostor_mean, np.float64), np.array(old.impostor_deviation, np.float64)
    mean[rows], deviation[rows] = new.impostor_mean, new.impostor_deviation
    return FaceVectors(old.x, mean, deviation)


def read_calibrations(root: str, calibration: Shard, groups: Sequence[Any] | None = None) -> Calibrations:
    """The calibrations of a data set. calibration: that table's shard; groups: the GroupShards, None: no groups."""
    if groups is None:
        return Calibrations(read_calibration(root, calibration))
    return _read(root, calibration, *groups)


@lru_cache(maxsize=2)
def _read(root: str, calibration: Shard, groups: Shard, calibrations: Shard) -> Calibrations:
    """As read_calibrations(). Cached, because every shard of a stage needs it."""
    whole, pooled = read_calibration(root, calibration), pooled_groups(read_shard(root, calibrations))
    table = read_shard(root, groups)
    number = pc.index_in(table["group"], value_set=pa.array(list(pooled), pa.string())).fill_null(NO_GROUP).to_numpy()
    of_groups = tuple(group.applied(whole) for group in pooled.values())
    return Calibrations(whole, tuple(pooled), of_groups, table["identity"].combine_chunks(), number.astype(np.int64))
