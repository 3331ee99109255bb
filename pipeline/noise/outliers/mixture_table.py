"""The mixture table: the densities of genuine and of noise scores on this data, for the fused score and each embedder.

They are fitted to a sample of fixed size, so that the cost does not grow with the data: the identities with the lowest
hashes of their names, as in the calibration. A mixture that cannot be fitted has no row.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.outliers.fit_mixture import MIN_FACES, fit_mixture
from pipeline.noise.outliers.score_mixture import ScoreMixture, noise_probabilities
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

    def select(self, faces: Mask) -> "PersonScores":
        """Some of the faces [n]; of an identity all or none."""
        numbers = (self.row[faces], self.identity[faces], self.others[faces])
        return PersonScores(*numbers, self.counted[faces], self.fused[faces], [z[faces] for z in self.by_embedder])


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


def outlier_probabilities(scored: PersonScores, mixtures: Mapping[int, ScoreMixture], rows: int) -> list[Floats]:
    """The probability [rows] that each face of a shard is an outlier, and the lowest by the embedders' own scores.

    scored: the shard's faces with a score. Other faces have nan, and so have all faces without a mixture of the fused
    score. mixtures: by embedder, -1: of the fused score. Where that of an embedder is missing, the lowest is 0.
    """
    columns: list[Floats] = [np.full(rows, np.nan), np.full(rows, np.nan)]
    if -1 not in mixtures or not len(scored.row):
        return columns
    one = len(scored.by_embedder) == 1  # whose own score is the fused score, but for its scale
    scores = {-1: scored.fused, **({} if one else dict(enumerate(scored.by_embedder)))}
    p = {
        e: noise_probabilities(mixtures[e], z, scored.others, scored.identity, scored.counted)
        for e, z in scores.items()
        if e in mixtures
    }
    columns[0][scored.row] = p[-1]
    columns[1][scored.row] = np.minimum.reduce(list(p.values())) if len(p) == len(scores) else 0.0
    return columns


def mixture_shard(part: Sequence[tuple[Shard, Shard, Shard]], *, root: str, calibration: Shard) -> pa.Table:
    """The mixtures of a data set. part: for each shard of the data set those of clusters, copies and persons."""
    score_calibration = read_calibration(root, calibration)
    drawn = lowest_hashes(identities_with_persons(root, [persons for _, _, persons in part]))
    mixtures = fit_mixtures(sampled_scores(root, part, drawn, score_calibration), score_calibration)
    rows = [{"embedder": e, **{name: getattr(m, name) for name in PARAMETERS}} for e, m in mixtures.items()]
    return pa.Table.from_pylist(rows, schema=MIXTURE)


def fit_mixtures(sample: pa.Table, calibration: Calibration, *, min_faces: int = MIN_FACES) -> dict[int, ScoreMixture]:
    """The mixtures that fit a sample of sampled_scores(): -1 of the fused score, and with two embedders 0 and 1.

    One that cannot be fitted is left out; min_faces: see fit_mixture().
    """
    identity = sample["identity"].combine_chunks().dictionary_encode().indices.to_numpy()
    others, member = sample["others"].to_numpy(), sample["member"].to_numpy()
    curves = {-1: calibration.fused_curve}
    if len(calibration.far_curves) > 1:  # the score of a single embedder is the fused score, but for its scale
        curves |= dict(enumerate(calibration.far_curves))
    mixtures = {}
    for embedder, curve in curves.items():
        scores = sample[f"score{embedder}"].to_numpy()
        start = float(np.median(scores[member])) if member.any() else 0.0
        mixture = fit_mixture(scores, others, identity, curve, start=start, min_faces=min_faces)
        if mixture is not None:
            mixtures[embedder] = mixture
    return mixtures


def identities_with_persons(root: str, persons: Sequence[Shard]) -> list[str]:
    """The names of the identities whose faces are scored with a person: see person_scores()."""
    names: list[str] = []
    for shard in persons:
        rows = read_shard(root, shard, ["identity", "cluster", "size", "of"])
        several = pc.and_(pc.greater(rows["size"], 1), pc.greater(rows["of"], 2))
        several = pc.and_(pc.equal(rows["cluster"], 0), several)
        names += rows["identity"].filter(several).to_pylist()
    return names


def lowest_hashes(names: Sequence[str]) -> pa.Array:
    """The IDENTITIES names with the lowest hashes."""
    key = {name: blake2b(name.encode("utf-8", "surrogateescape")).digest() for name in names}
    return pa.array(sorted(names, key=key.__getitem__)[:IDENTITIES], pa.string())


def sampled_scores(
    root: str, part: Sequence[tuple[Shard, Shard, Shard]], drawn: pa.Array, calibration: Calibration
) -> pa.Table:
    """The scored faces of the drawn identities, at most FACES of each, in one order however they lie in shards.

    part: for each shard of the data set those of clusters, copies and persons.
    """
    sample = pa.concat_tables([_sample(root, shards, drawn, calibration) for shards in part])
    return sample.sort_by([("identity", "ascending"), ("face_id", "ascending")])


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
