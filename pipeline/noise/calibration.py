"""The calibration table: what impostor and genuine scores look like in this data with these embedders.

It is the first stage of finding noise, because it turns each rule's false accept rate into a threshold on the score. It
is measured on a sample of fixed size, so that its cost does not grow with the data.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import groupby, islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.scores.basis import CalibrationBasis
from pipeline.noise.scores.calibrate import FEW_IDENTITIES, calibrate
from pipeline.noise.scores.far_curve import FarCurve
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import ImpostorModel
from pipeline.tables.columns import texts, vectors
from pipeline.tables.prefetch import READ_THREADS, prefetch
from pipeline.tables.table import Shard, read_shard, read_shards

IDENTITIES, FACES = 1200, 3  # identities in the sample, and faces of each: 6.5 million impostor pairs
FEW_FACES, MAX_FACES = 1200, 60  # faces in a sample of few identities, which is measured otherwise, and most of one
CALIBRATION = pa.schema(
    [
        ("embedder", pa.int8()),  # 0: the first, 1: the second, -1: all fused
        ("weight", pa.float64()),  # in the fused score
        ("a", pa.float64()),  # a, b, c: of the FAR curve
        ("b", pa.float64()),
        ("c", pa.float64()),
        ("same", pa.float64()),  # genuine_mean
        ("spread", pa.float64()),  # genuine_deviation
        ("share", pa.float64()),  # genuine_share
        ("mean", pa.list_(pa.float64())),  # mean, covariance: of the impostor model
        ("covariance", pa.list_(pa.float64())),
        ("identities", pa.int64()),  # this and the next: the basis, see CalibrationBasis
        ("references", pa.int64()),
        ("faces", pa.int64()),
        ("persons", pa.int64()),
        ("impostor_pairs", pa.int64()),
        ("deviation", pa.float64()),  # the basis's spread
        ("assumed", pa.float64()),
    ]
)

BASIS_COLUMNS = {"spread": "deviation"}  # fields of the basis whose columns have other names


class SampledFace(NamedTuple):
    """A face of the sample: its identity, its id, and each embedder's vector."""

    reference: bool  # it is no part of the data set
    identity: str
    face_id: str
    x: list[NDArray[Any]]


def calibration_shard(
    part: tuple[Sequence[Shard], ...],
    *,
    root: str,
    references: tuple[Sequence[Shard], ...] = (),
    companions: tuple[Sequence[Shard], ...] = (),
    quality: Sequence[Shard] | None = None,
) -> pa.Table:
    """The calibration of a data set. part: for each embedder all shards of embeddings.

    The sample has the IDENTITIES identities with the lowest hashes of their names, and of each the FACES faces with the
    lowest face_id, so that it does not depend on how identities are assigned to shards. references: for each embedder
    all shards of embeddings of faces that are no part of the data set, whose identities take the places that are left;
    a face without an identity is one of its own. Of few identities more faces are taken. companions: likewise, of faces
    beside the persons of few identities. Several may show one person, or a person of the data set, so they are used
    only where persons are compared and not identities: where identities and references are few. quality: all shards
    of qualities, to leave out weak faces, which score high with each other whomever they show.
    """
    drawn = drawn_identities(_identities(root, part[0]), IDENTITIES)
    left = IDENTITIES - len(drawn)
    further = drawn_identities(_identities(root, references[0], unnamed=True), left) if references else []
    is_few = len(drawn) + len(further) <= FEW_IDENTITIES
    if is_few and companions:
        given = references or tuple([] for _ in companions)
        references = tuple([*shards, *beside] for shards, beside in zip(given, companions, strict=True))
        further = drawn_identities(_identities(root, references[0], unnamed=True), left)
    identities = len(drawn) + len(further)
    each = min(MAX_FACES, max(FACES, FEW_FACES // max(identities, 1))) if is_few else FACES
    faces = sampled_faces(root, part, drawn, each, quality=quality)
    faces += sampled_faces(root, references, further, each, reference=True) if further else []
    names = [(f.reference, f.identity) for f in faces]
    number = {name: i for i, name in enumerate(sorted(set(names)))}
    x = [np.array([f.x[e] for f in faces]) for e in range(len(part))]
    if not faces:
        x = [vectors(read_shard(root, shards[0], ["x"])["x"])[0][:0] for shards in part]
    # None: of many identities only few may have a face
    calibration = calibrate(x, identity=np.array([number[name] for name in names], np.int64), is_few=is_few or None)
    outside = sum(reference for reference, _ in number)
    basis = calibration.basis._replace(identities=len(number) - outside, references=outside)
    return to_table(calibration._replace(basis=basis))


def _identities(root: str, shards: Sequence[Shard], *, unnamed: bool = False) -> set[str]:
    """The identities in all shards of embeddings; unnamed: with the ids of faces without an identity."""
    identities: set[str] = set()
    for table in read_shards(root, shards, ["identity", "face_id"] if unnamed else ["identity"]):
        column = pc.coalesce(table["identity"], table["face_id"]) if unnamed else table["identity"]
        identities.update(n for n in column.unique().to_pylist() if n is not None)
    return identities


def drawn_identities(identities: set[str], n: int) -> list[str]:
    """The n identities with the lowest hashes of their names."""
    return sorted(identities, key=lambda name: blake2b(name.encode("utf-8", "surrogateescape")).digest())[:n]


def sampled_faces(
    root: str,
    shards: tuple[Sequence[Shard], ...],
    identities: Sequence[str],
    each: int,
    *,
    reference: bool = False,
    quality: Sequence[Shard] | None = None,
) -> list[SampledFace]:
    """The faces of these identities, at most `each` of one, sorted by identity and id; shards: for each embedder."""
    sample = partial(_sample, root, identities=pa.array(identities, pa.string()), each=each, reference=reference)
    no_quality: list[Shard | None] = [None] * len(shards[0])
    parts = zip(zip(*shards, strict=True), quality or no_quality, strict=True)
    faces = [f for rows in prefetch(sample, parts, threads=READ_THREADS, per_thread=1) for f in rows]
    return sorted(faces, key=lambda f: (f.identity, f.face_id))


def _sample(
    root: str, part: tuple[Sequence[Shard], Shard | None], identities: pa.Array, each: int, *, reference: bool
) -> list[SampledFace]:
    """The sample's faces in one shard. part: the shards of each embedder's embeddings, and of qualities if they count;
    identities: those in the sample."""
    shards, quality = part
    first = read_shard(root, shards[0], ["face_id", "identity"])
    identity = pc.coalesce(first["identity"], first["face_id"]) if reference else first["identity"]
    wanted = np.asarray(pc.is_in(identity, value_set=identities))
    if not wanted.any():
        return []
    columns = [vectors(read_shard(root, shard, ["x"])["x"]) for shard in shards]
    wanted &= np.logical_and.reduce([valid for _, valid in columns])
    if quality:
        wanted &= ~np.asarray(read_shard(root, quality, ["weak"])["weak"])
    rows = np.flatnonzero(wanted)
    names, ids = (texts(column.take(pa.array(rows))) for column in (identity, first["face_id"]))
    order = sorted(range(len(rows)), key=lambda n: (names[n], ids[n]))
    chosen = [n for _, same in groupby(order, key=lambda n: names[n]) for n in islice(same, each)]
    # copied, because a view of one row would keep the vectors of the whole shard in memory
    return [SampledFace(reference, names[n], ids[n], [x[rows[n]].copy() for x, _ in columns]) for n in chosen]


def to_table(calibration: Calibration) -> pa.Table:
    """A calibration as a table: a row for each embedder, and a last row for the fused score."""
    embedders = zip(calibration.impostors, calibration.weights, calibration.far_curves, strict=True)
    rows: list[dict[str, Any]] = [
        {"embedder": e, "weight": w, **curve._asdict(), "mean": model.mean, "covariance": model.covariance.ravel()}
        for e, (model, w, curve) in enumerate(embedders)
    ]
    c = calibration
    genuine = {"same": c.genuine_mean, "spread": c.genuine_deviation, "share": c.genuine_share}
    basis = {BASIS_COLUMNS.get(name, name): value for name, value in c.basis._asdict().items()}
    rows.append({"embedder": -1, **c.fused_curve._asdict(), **genuine, **basis})
    return pa.Table.from_pylist(rows, schema=CALIBRATION)


def from_table(table: pa.Table) -> Calibration:
    """The calibration in a table: the inverse of to_table()."""
    *embedders, fused = table.drop_columns(["mean", "covariance"]).to_pylist()
    means, covariances = (
        [column[e].values.to_numpy() for e in range(len(embedders))] for column in (table["mean"], table["covariance"])
    )
    models = tuple(ImpostorModel(m, c.reshape(len(m), len(m))) for m, c in zip(means, covariances, strict=True))
    curves = [FarCurve(row["a"], row["b"], row["c"]) for row in (*embedders, fused)]
    weights = tuple(row["weight"] for row in embedders)
    basis = CalibrationBasis(**{name: fused[BASIS_COLUMNS.get(name, name)] for name in CalibrationBasis._fields})
    genuine = fused["same"], fused["spread"], fused["share"]
    return Calibration(models, weights, tuple(curves[:-1]), curves[-1], *genuine, basis)


@lru_cache(maxsize=4)
def read_calibration(root: str, shard: Shard) -> Calibration:
    """The calibration in the only shard of its table. Cached, because every shard of a stage needs it."""
    return from_table(read_shard(root, shard))
