"""The tables groups and group_calibration: which group an identity belongs to, and the calibration of each group.

Both stay in the root. Groups of people are private: nothing that is exported holds one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.noise.calibration import FACES, IDENTITIES, SampledFace, drawn_identities, sampled_faces
from pipeline.noise.calibration import read_calibration as read_whole
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.pooling import PooledGroup, pool_group, unpooled
from pipeline.noise.scores.score_norm import ImpostorModel
from pipeline.tables.table import Shard, read_shard

MAX_GROUPS = 32  # that are calibrated, the largest: with 512 dimensions their sample takes 120 MB for each embedder
GROUPS = pa.schema([("identity", pa.string()), ("group", pa.string())])
COUNTS = ("identities", "faces", "impostor_pairs", "genuine_pairs")  # see PooledGroup
GROUP_CALIBRATION = pa.schema(
    [
        ("group", pa.string()),
        ("embedder", pa.int8()),
        ("mean", pa.list_(pa.float64())),  # this and the next two: of the impostor model
        ("covariance", pa.list_(pa.float64())),
        ("shift", pa.float64()),
        # the rest: see PooledGroup; the same for each embedder
        ("genuine_mean", pa.float64()),
        ("genuine_deviation", pa.float64()),
        ("weight", pa.float64()),
        ("genuine_weight", pa.float64()),
        *((name, pa.int64()) for name in COUNTS),
    ]
)


def groups_shard(part: Sequence[tuple[str, str]]) -> pa.Table:
    """The groups of a data set; part: identities that are in the data with their groups, sorted."""
    return pa.table([[name for name, _ in part], [group for _, group in part]], schema=GROUPS)


def group_calibration_shard(
    part: tuple[Sequence[Shard], ...],
    *,
    root: str,
    groups: Shard,
    calibration: Shard,
    quality: Sequence[Shard] | None = None,
) -> pa.Table:
    """The calibrations of the groups. part: for each embedder all shards of embeddings.

    groups: of that table; calibration: of the whole population's, with which those of the groups are pooled; quality:
    all shards of qualities, to leave out weak faces. Of each group as many identities and faces are drawn as for the
    whole population, by the hashes of their names. Only the MAX_GROUPS groups of most identities are calibrated.
    """
    identities: dict[str, list[str]] = {}
    for name, group in zip(*(column.to_pylist() for column in read_shard(root, groups).columns), strict=True):
        identities.setdefault(group, []).append(name)
    largest = sorted(identities, key=lambda group: (-len(identities[group]), group))[:MAX_GROUPS]
    drawn = {group: drawn_identities(set(identities[group]), IDENTITIES) for group in sorted(largest)}
    sample = sampled_faces(root, part, [name for names in drawn.values() for name in names], FACES, quality=quality)
    whole, of_group = read_whole(root, calibration), {name: g for g, names in drawn.items() for name in names}
    faces: dict[str, list[SampledFace]] = {group: [] for group in drawn}
    for face in sample:
        faces[of_group[face.identity]].append(face)
    rows = [row for group in drawn for row in _rows(group, _measured(faces[group], whole, embedders=len(part)))]
    return pa.Table.from_pylist(rows, schema=GROUP_CALIBRATION)


def _measured(faces: Sequence[SampledFace], whole: Calibration, *, embedders: int) -> PooledGroup:
    if not faces:
        return unpooled(whole, identities=0, faces=0)
    number = {name: i for i, name in enumerate(sorted({face.identity for face in faces}))}
    x = [np.array([face.x[e] for face in faces]) for e in range(embedders)]
    return pool_group(x, identity=np.array([number[face.identity] for face in faces], np.int64), whole=whole)


def _rows(group: str, pooled: PooledGroup) -> list[dict[str, Any]]:
    """A group's calibration as rows, one for each embedder."""
    numbers = {name: value for name, value in pooled._asdict().items() if name != "impostors"}
    return [
        {"group": group, "embedder": e, "mean": mean, "covariance": covariance.ravel(), "shift": shift, **numbers}
        for e, (mean, covariance, shift) in enumerate(pooled.impostors)
    ]


def pooled_groups(table: pa.Table) -> Mapping[str, PooledGroup]:
    """The calibrations in a table of group_calibration, by group."""
    models: dict[str, list[ImpostorModel]] = {}
    numbers: dict[str, dict[str, Any]] = {}
    names = [name for name in GROUP_CALIBRATION.names if name not in ("mean", "covariance")]
    for i, row in enumerate(table.select(names).to_pylist()):
        group, _, shift = row.pop("group"), row.pop("embedder"), row.pop("shift")
        mean, covariance = (table[c][i].values.to_numpy() for c in ("mean", "covariance"))
        models.setdefault(group, []).append(ImpostorModel(mean, covariance.reshape(len(mean), len(mean)), shift))
        numbers[group] = row
    return {group: PooledGroup(tuple(models[group]), **numbers[group]) for group in models}
