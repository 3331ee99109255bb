"""The group_mixture table: the densities of genuine and of noise scores in each group, pooled with those of all.

Scores within groups are brought to one FAR curve (scores/pooling.py), but genuine photos of one group may still score
lower than those of another, and one group may have more noise. Each parameter is pooled by the number of faces.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.noise.groups.calibrations import NO_GROUP, Numbers, read_calibrations
from pipeline.noise.outliers.fit_mixture import MIN_FACES
from pipeline.noise.outliers.mixture_table import (
    PARAMETERS,
    PersonScores,
    fit_mixtures,
    identities_with_persons,
    lowest_hashes,
    outlier_probabilities,
    read_mixtures,
    sampled_scores,
)
from pipeline.noise.outliers.score_mixture import ScoreMixture
from pipeline.noise.scores.far_curve import DECIMALS
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.pooling import pooled_weight
from pipeline.noise.scores.score_norm import Floats
from pipeline.tables.table import Shard, read_shard

MIN_GROUP_FACES = 50  # with fewer nothing is fitted in a group; these weigh a fifth beside the whole population
Mixtures = Mapping[int, ScoreMixture]  # by embedder, -1: of the fused score
GROUP_MIXTURE = pa.schema(
    [
        ("group", pa.string()),
        ("embedder", pa.int8()),
        ("faces", pa.int64()),  # of the group, to which its own mixture was fitted
        ("weight", pa.float64()),  # of the group's own mixture, 0 to 1
        *((name, pa.float64()) for name in PARAMETERS),  # see ScoreMixture
    ]
)


class GroupMixtures(NamedTuple):
    """The mixtures of the whole population, and those of the groups by number (Calibrations.names)."""

    whole: Mixtures
    of_groups: tuple[Mixtures, ...] = ()

    def probabilities(self, scored: PersonScores, number: Numbers) -> list[Floats]:
        """outlier_probabilities() of a shard's faces, each by the mixtures of its group, number [n]."""
        columns = outlier_probabilities(scored, self.whole, len(number))
        of_row = number[scored.row] if self.of_groups else np.empty(0, np.int64)
        for group in np.unique(of_row[of_row != NO_GROUP]).tolist():
            rows = scored.select(of_row == group)
            by_group = outlier_probabilities(rows, self.of_groups[group], len(number))
            for column, own in zip(columns, by_group, strict=True):
                column[rows.row] = own[rows.row]
        return columns


def group_mixture_shard(
    part: Sequence[tuple[Shard, Shard, Shard]],
    *,
    root: str,
    calibration: Shard,
    mixture: Shard,
    groups: Sequence[Shard],
) -> pa.Table:
    """The mixtures of the groups. part: for each shard of the data set those of clusters, copies and persons.

    mixture: of the whole population's, with which they are pooled; groups: the GroupShards. As many identities and
    faces of each group are drawn as of the whole population. A group of too few faces has no row.
    """
    calibrations, whole = read_calibrations(root, calibration, groups), read_mixtures(root, mixture, calibration)
    names = identities_with_persons(root, [persons for _, _, persons in part])
    number = calibrations.numbers(pa.array(names, pa.string()))
    of_group = [[names[i] for i in np.flatnonzero(number == g)] for g in range(len(calibrations.names))]
    drawn = pa.concat_arrays([pa.array([], pa.string()), *(lowest_hashes(of) for of in of_group)])
    sample = sampled_scores(root, part, drawn, calibrations.whole)
    group = calibrations.numbers(sample["identity"])
    rows = []
    for g, name in enumerate(calibrations.names):
        own = sample.filter(pa.array(group == g))
        for e, m in _pooled(own, whole, calibrations.whole).items():
            faces, weight = len(own), round(pooled_weight(len(own), MIN_FACES), DECIMALS)
            values = {p: getattr(m, p) for p in PARAMETERS}
            rows.append({"group": name, "embedder": e, "faces": faces, "weight": weight, **values})
    return pa.Table.from_pylist(rows, schema=GROUP_MIXTURE)


def _pooled(sample: pa.Table, whole: Mixtures, calibration: Calibration) -> dict[int, ScoreMixture]:
    """The mixtures of a group's sample, each parameter pooled with that of the whole population by number of faces.

    See pooling.pooled_weight(); the population weighs MIN_FACES faces, with fewer than which it is not fitted itself.
    """
    weight = pooled_weight(len(sample), MIN_FACES)
    pooled: dict[int, ScoreMixture] = {}
    for e, own in fit_mixtures(sample, calibration, min_faces=MIN_GROUP_FACES).items():
        if e in whole:
            pairs = ((getattr(own, p), getattr(whole[e], p)) for p in PARAMETERS)
            pooled[e] = ScoreMixture(own.curve, *(round(weight * a + (1 - weight) * b, DECIMALS) for a, b in pairs))
    return pooled


def read_group_mixtures(
    root: str, shard: Shard, *, mixture: Shard, calibration: Shard, groups: Sequence[Shard]
) -> GroupMixtures:
    """The mixtures in the only shard of a group_mixture table; those without a row are the population's.

    mixture, calibration, groups: as the table was made with.
    """
    return _read(root, shard, mixture, calibration, tuple(groups))


@lru_cache(maxsize=2)
def _read(root: str, shard: Shard, mixture: Shard, calibration: Shard, groups: tuple[Shard, ...]) -> GroupMixtures:
    """As read_group_mixtures(). Cached, because every shard of a stage needs it."""
    whole, calibrations = read_mixtures(root, mixture, calibration), read_calibrations(root, calibration, groups)
    curves = {-1: calibrations.whole.fused_curve, **dict(enumerate(calibrations.whole.far_curves))}
    own: dict[str, dict[int, ScoreMixture]] = {name: {} for name in calibrations.names}
    for row in read_shard(root, shard).to_pylist():
        e = row["embedder"]
        own[row["group"]][e] = ScoreMixture(curves[e], *(row[name] for name in PARAMETERS))
    return GroupMixtures(whole, tuple({**whole, **own[name]} for name in calibrations.names))
