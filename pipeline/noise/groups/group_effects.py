"""The group_effects table: for each group the clean photos likely lost and the noise likely left, by both calibrations.

No truth is needed: every photo that is scored with a person has a probability of being noise. Among the photos removed
as outliers the expected number of clean ones is the sum of 1 - p, among those that stay the noise is the sum of p. The
probabilities are those by the groups' calibrations for both, because a threshold that is wrong for a group makes
probabilities that are wrong for it, too; only the photos that are removed differ.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.groups.calibrations import NO_GROUP, read_calibrations
from pipeline.noise.groups.group_mixture import GroupMixtures, read_group_mixtures
from pipeline.noise.outliers.mixture_table import PERSON_FIELDS, PersonScores, person_scores, read_mixtures
from pipeline.noise.policy import outlier_rule
from pipeline.noise.scores.score_norm import Floats
from pipeline.tables.columns import Mask
from pipeline.tables.table import Shard, read_shard

BY = ("whole", "group")  # by which calibration outliers are removed
FIGURES = ("photos", "removed", "clean_lost", "noise_left")
GROUP_EFFECTS = pa.schema(
    [
        ("group", pa.string()),  # null: the identities without a calibration of a group's own
        ("by", pa.string()),  # one of BY
        ("photos", pa.int64()),  # that have a probability by the calibrations of the groups
        ("removed", pa.int64()),  # of these, as outliers
        ("clean_lost", pa.float64()),  # expected, of the removed ones
        ("noise_left", pa.float64()),  # expected, of the others
    ]
)


class GroupEffect(NamedTuple):
    """The figures of one group by one calibration: see GROUP_EFFECTS."""

    group: str | None
    by: str
    photos: int
    removed: int
    clean_lost: float
    noise_left: float


def group_effects_shard(
    part: tuple[Shard, Shard, Shard, Shard, Shard],
    *,
    root: str,
    calibration: Shard,
    mixtures: tuple[Shard, Shard],
    group_mixture: Shard,
    limits: Sequence[Mapping[str, float]],
    groups: Sequence[Shard],
) -> pa.Table:
    """The figures of one shard. part: the shards of copies, of clusters and persons by the whole population's
    calibration, and of both by those of the groups.

    mixtures: the shards of the table mixture by the one and by the others; limits: the thresholds, likewise.
    """
    copies = read_shard(root, part[0], ["copy_of"])
    calibrations = read_calibrations(root, calibration, groups)
    own = read_group_mixtures(root, group_mixture, mixture=mixtures[1], calibration=calibration, groups=groups)
    by = (GroupMixtures(read_mixtures(root, mixtures[0], calibration)), own)
    removed: list[Mask] = []
    probability: Floats = np.empty(0)
    for shards, of_mixture, limit in zip((part[1:3], part[3:5]), by, limits, strict=True):
        rows = read_shard(root, shards[0], None)
        persons = read_shard(root, shards[1], PERSON_FIELDS)
        scored = person_scores(rows, copies, persons, calibrations.whole)
        number = calibrations.numbers(rows["identity"])
        probabilities = of_mixture.probabilities(scored, number)
        removed.append(_removed(scored, probabilities, limit))
        probability = np.where(_counted(scored, len(rows)), probabilities[0], np.nan)  # the last is by the groups
    known = np.isfinite(probability)
    return _table(_figures(calibrations.names, number, known, probability, removed))


def _counted(scored: PersonScores, rows: int) -> Mask:
    counted = np.zeros(rows, bool)
    counted[scored.row] = scored.counted
    return counted


def _removed(scored: PersonScores, probabilities: Sequence[Floats], limits: Mapping[str, float]) -> Mask:
    """Which faces [n] of a shard the policy removes as outliers."""
    of_scored = [p[scored.row] for p in probabilities]
    low, _ = outlier_rule(scored.fused, scored.by_embedder, of_scored, limits)
    removed = np.zeros(len(probabilities[0]), bool)
    removed[scored.row] = low
    return removed


def _figures(
    names: Sequence[str], number: NDArray[np.int64], known: Mask, probability: Floats, removed: Sequence[Mask]
) -> Iterable[GroupEffect]:
    for group in np.unique(number[known]).tolist():
        of_group = known & (number == group)
        for by, mask in zip(BY, removed, strict=True):
            gone, stays = of_group & mask, of_group & ~mask
            lost, left = float((1 - probability[gone]).sum()), float(probability[stays].sum())
            name = None if group == NO_GROUP else names[group]
            yield GroupEffect(name, by, int(of_group.sum()), int(gone.sum()), round(lost, 6), round(left, 6))


def _table(effects: Iterable[GroupEffect]) -> pa.Table:
    return pa.Table.from_pylist([effect._asdict() for effect in effects], schema=GROUP_EFFECTS)


def total_effects(batches: Iterable[pa.Table]) -> list[GroupEffect]:
    """The figures of a whole data set, by group and calibration; identities without a group come last."""
    totals: dict[tuple[str | None, str], GroupEffect] = {}
    for rows in batches:
        for row in rows.to_pylist():
            key, zero = (row["group"], row["by"]), GroupEffect(row["group"], row["by"], 0, 0, 0.0, 0.0)
            sums = (a + b for a, b in zip(totals.get(key, zero)[2:], GroupEffect(**row)[2:], strict=True))
            totals[key] = GroupEffect(*key, *sums)  # type: ignore[arg-type]
    order = sorted(totals, key=lambda key: (key[0] is None, key[0] or "", BY.index(key[1])))
    return [totals[key] for key in order]
