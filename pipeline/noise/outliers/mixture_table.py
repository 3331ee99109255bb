"""The mixture table: the densities of genuine and of noise scores on this data, for the fused score and each embedder.

They are fitted to a sample of fixed size, so that the cost does not grow with the data: the identities with the lowest
hashes of their names, as in the calibration. A mixture that cannot be fitted has no row.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.outliers.fit_mixture import fit_mixture
from pipeline.noise.outliers.score_mixture import ScoreMixture
from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.noise.scores.score_norm import Floats
from pipeline.tables.columns import Mask
from pipeline.tables.table import Shard, read_shard

IDENTITIES, FACES = 1200, 24  # identities in the sample, and faces of each
PERSON_FIELDS = ["identity", "cluster", "size", "of"]
PARAMETERS = ScoreMixture._fields[1:]
MIXTURE = pa.schema(
    [
        ("embedder", pa.int8()),  # 0: the first, 1: the second, -1: all fused
        *((name, pa.float64()) for name in PARAMETERS),  # see ScoreMixture
    ]
)


class PersonScores(NamedTuple):
    """The n faces that are scored with a person of their identity, in the order of the clusters table."""

    row: NDArray[np.int64]  # [n] of the clusters table
    identity: NDArray[np.int64]  # [n] number of the identity
    others: NDArray[np.int64]  # [n] how many other faces the person has
    counted: Mask  # [n] the face is neither a duplicate nor of a further person, which is no noise
    fused: Floats  # [n] score with the person
    by_embedder: list[Floats]  # of each [n], likewise


def person_scores(clusters: pa.Table, copies: pa.Table, persons: pa.Table, calibration: Calibration) -> PersonScores:
    """The scores of the faces of one shard whose identity has a person of two faces or more, and a third face.

    Which of two faces is wrong cannot be told: they stay or go together, by the rule of mixed identities alone. So a
    pair that is more alike is never lost where one less alike is kept, whether the linkage joined them or not.
    clusters: identity, cluster, core, second; copies: copy_of, the same rows; persons: PERSON_FIELDS.
    """
    names = clusters["identity"].combine_chunks().dictionary_encode()
    code = names.indices.fill_null(-1).to_numpy()
    cluster = clusters["cluster"].fill_null(-1).to_numpy()
    size = np.zeros(len(names.dictionary) + 1, np.int64)  # of the person that each identity stands for
    of_person = pc.index_in(persons["identity"], value_set=names.dictionary).fill_null(-1).to_numpy()
    first = persons["cluster"].to_numpy() == 0
    several = first & (persons["of"].to_numpy() > 2)
    size[of_person[several]] = persons["size"].to_numpy()[several]
    size[-1] = 0  # of faces without an identity
    count = len(calibration.far_curves)
    z = [clusters[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in ("core", "second")[:count]]
    duplicate = np.asarray(copies["copy_of"].is_valid())
    fused = fuse(z, calibration.weights)
    row = np.flatnonzero((cluster >= 0) & (size[code] > 1) & np.isfinite(fused))
    width = int(cluster.max(initial=0)) + 1
    is_further_person = ~first & (of_person >= 0)
    further = of_person[is_further_person].astype(np.int64) * width + persons["cluster"].to_numpy()[is_further_person]
    is_further = np.isin(code[row].astype(np.int64) * width + cluster[row], further)
    member = (cluster[row] == 0) & ~duplicate[row]
    counted = ~is_further & ~duplicate[row]
    identity = code[row].astype(np.int64)
    return PersonScores(row, identity, size[identity] - member, counted, fused[row], [e[row] for e in z])


def mixture_shard(part: Sequence[tuple[Shard, Shard, Shard]], *, root: str, calibration: Shard) -> pa.Table:
    """The mixtures of a data set. part: for each shard of the data set those of clusters, copies and persons."""
    score_calibration = read_calibration(root, calibration)
    drawn = _draw_identities(root, [persons for _, _, persons in part])
    sample = pa.concat_tables([_sample(root, shards, drawn, score_calibration) for shards in part])
    sample = sample.sort_by([("identity", "ascending"), ("face_id", "ascending")])  # in any shards the same sums
    identity = sample["identity"].combine_chunks().dictionary_encode().indices.to_numpy()
    others, member = sample["others"].to_numpy(), sample["member"].to_numpy()
    curves = {-1: score_calibration.fused_curve}
    if len(score_calibration.far_curves) > 1:  # the score of a single embedder is the fused score, but for its scale
        curves |= dict(enumerate(score_calibration.far_curves))
    rows = []
    for embedder, curve in curves.items():
        scores = sample[f"score{embedder}"].to_numpy()
        start = float(np.median(scores[member])) if member.any() else 0.0
        mixture = fit_mixture(scores, others, identity, curve, start=start)
        if mixture is not None:
            rows.append({"embedder": embedder, **{name: getattr(mixture, name) for name in PARAMETERS}})
    return pa.Table.from_pylist(rows, schema=MIXTURE)


def _draw_identities(root: str, persons: Sequence[Shard]) -> pa.Array:
    """The names of the sample's identities."""
    names: list[str] = []
    for shard in persons:
        rows = read_shard(root, shard, ["identity", "cluster", "size", "of"])
        several = pc.and_(pc.greater(rows["size"], 1), pc.greater(rows["of"], 2))
        several = pc.and_(pc.equal(rows["cluster"], 0), several)
        names += rows["identity"].filter(several).to_pylist()
    key = {name: blake2b(name.encode("utf-8", "surrogateescape")).digest() for name in names}
    return pa.array(sorted(names, key=key.__getitem__)[:IDENTITIES], pa.string())


def _sample(root: str, shards: tuple[Shard, Shard, Shard], drawn: pa.Array, calibration: Calibration) -> pa.Table:
    """The scored faces of the drawn identities in one shard of clusters, copies and persons, at most FACES of each."""
    clusters = read_shard(root, shards[0], ["face_id", "identity", "cluster", "core", "second"])
    wanted = pc.is_in(clusters["identity"], value_set=drawn)
    clusters, copies = clusters.filter(wanted), read_shard(root, shards[1], ["copy_of"]).filter(wanted)
    scored = person_scores(clusters, copies, read_shard(root, shards[2], PERSON_FIELDS), calibration)
    rows = clusters.take(pa.array(scored.row))
    columns = {
        "identity": rows["identity"],
        "face_id": rows["face_id"],
        "others": pa.array(scored.others),
        "member": pc.equal(rows["cluster"], 0),
        "score-1": pa.array(scored.fused),
        **{f"score{e}": pa.array(z) for e, z in enumerate(scored.by_embedder)},
    }
    sample = pa.table(columns).filter(pa.array(scored.counted))
    sample = sample.sort_by([("identity", "ascending"), ("face_id", "ascending")])
    code = sample["identity"].combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.maximum.accumulate(np.where(np.append(True, np.diff(code) != 0)[: len(code)], np.arange(len(code)), 0))
    return sample.filter(pa.array(np.arange(len(code)) - first < FACES))


def from_table(table: pa.Table, calibration: Calibration) -> dict[int, ScoreMixture]:
    """The mixtures in a table: -1 of the fused score, and with two embedders 0 and 1; those that could be fitted."""
    curves = {-1: calibration.fused_curve, **dict(enumerate(calibration.far_curves))}
    return {
        row["embedder"]: ScoreMixture(curves[row["embedder"]], *(row[name] for name in PARAMETERS))
        for row in table.to_pylist()
    }


@lru_cache(maxsize=4)
def read_mixtures(root: str, shard: Shard, calibration: Shard) -> dict[int, ScoreMixture]:
    """from_table() of the only shard of a mixture table. Cached, because every shard of a stage needs it."""
    return from_table(read_shard(root, shard), read_calibration(root, calibration))
