"""Findings by likelihood ratios: which faces are compared, in any shards, and which splits they confirm."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.noise.clusters import CLUSTERS
from pipeline.noise.copies import COPIES
from pipeline.noise.findings import findings_table
from pipeline.noise.likelihood_ratio.model_table import TWO_COVARIANCE, VectorShards, read_model, two_covariance_shard
from pipeline.noise.likelihood_ratio.ratio_suspects import ratio_suspect_shard
from pipeline.noise.likelihood_ratio.two_covariance import TwoCovariance
from pipeline.tables.build import build
from pipeline.tables.columns import vector_column
from pipeline.tables.table import Shard
from tests.builders.tables.drawn_vectors import DIM, person, photos_of

MODEL = TwoCovariance((0.5, 0.5), 0.6, DIM, 0.7)
# of each identity its faces by their person and their cluster; -: no face, =: a duplicate of the one before
ROWS = {
    "one": "A0 A0 A0 A0 B1 -",
    "two": "C0 C0 C0 C0 D1 D1 D1 D1",
    "same": "E0 E0 E0 E1 E1 E1",
    "beside": "F0 F0 F0 F0 F0 G1 G1",
    "pair": "H0 K1 K1=",
    "single": "I0",
    None: "J0 L0",
}
OUTLIERS = {"one4", "pair0", "pair1", "beside5", "beside6"}  # a pair and its duplicate are no evidence
MEDOIDS = {"two0": "two4", "same0": "same3"}  # of the clusters that the embedder takes for two persons


def photos() -> tuple[list[dict[str, Any]], np.ndarray]:
    """The faces of ROWS, and their vectors [n, DIM]."""
    rng = np.random.default_rng(0)
    centres = {name: person(rng) for name in "ABCDEFGHIJKL"}
    rows: list[dict[str, Any]] = []
    x = []
    for identity, faces in ROWS.items():
        for i, face in enumerate(faces.split()):
            cluster = None if face == "-" else int(face[1])
            before = rows[-1]["face_id"] if face.endswith("=") else None
            rows.append({"face_id": f"{identity}{i}", "identity": identity, "cluster": cluster, "copy_of": before})
            x.append(np.zeros(DIM) if face == "-" else photos_of(centres[face[0]], 1, rng)[0])
    return rows, np.stack(x)


FACES, X = photos()
EDGE = next(i for i, row in enumerate(FACES) if row["identity"] == "same")
NO_FACE = next(i for i, row in enumerate(FACES) if row["cluster"] is None)
SHARDINGS = ([(0, len(FACES))], [(0, NO_FACE), (NO_FACE, NO_FACE + 1), (NO_FACE + 1, EDGE), (EDGE, len(FACES))])


def vector_rows(part: tuple[str, int, int]) -> pa.Table:
    rows, x = FACES[part[1] : part[2]], X[part[1] : part[2]].astype(np.float16)
    valid = np.array([row["cluster"] is not None for row in rows])
    columns = [[row[c] for row in rows] for c in ("face_id", "identity")]
    return pa.table([*columns, vector_column(x, valid), pa.nulls(len(x), pa.float32())], schema.embeddings(DIM))


def copy_rows(part: tuple[str, int, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(list(row.items())[:2]) | {"copy_of": row["copy_of"]} for row in FACES[part[1] : part[2]]], COPIES
    )


def vector_shards(root: Path, parts: list[tuple[int, int]]) -> list[VectorShards]:
    """The shards of two kinds of vectors and of copies."""

    def made(name: str, function: Any, columns: pa.Schema) -> list[Shard]:
        return build(str(root), name, function, [(name, *part) for part in parts], schema=columns).shards

    kinds = [made(name, vector_rows, schema.embeddings(DIM)) for name in ("embeddings", "textures")]
    return list(zip(zip(*kinds, strict=True), made("copies", copy_rows, COPIES), strict=True))


def shard_of(root: Path, name: str, rows: pa.Table) -> Shard:
    return build(str(root), name, lambda _: rows, [name], schema=rows.schema).shards[0]


def suspects_found(root: Path, start: int, end: int, vectors: VectorShards) -> set[tuple[str, str]]:
    """Kind and subject of the findings of the faces from start to end, given findings by an embedder's scores."""
    rows = FACES[start:end]
    splits = [(first, other) for first, other in MEDOIDS.items() if any(row["face_id"] == first for row in rows)]
    kinds = [
        *(("split", *sides) for sides in splits),
        *((k, rows[0]["face_id"], None) for k in ("outlier", "mixed", "poor")),
    ]
    given = [findings_table(k, [subject], [other], [np.zeros(1)], [""]) for k, subject, other in kinds]
    columns = {name: [row.get(name) for row in rows] for name in CLUSTERS.names}
    clusters = pa.Table.from_pydict(columns, CLUSTERS)
    shards = (
        shard_of(root, f"{n}{start}{end}", t)
        for n, t in (("suspects", pa.concat_tables(given)), ("clusters", clusters))
    )
    model = shard_of(root, "model", pa.Table.from_pylist([MODEL._asdict()], schema=TWO_COVARIANCE))
    found = ratio_suspect_shard((*shards, vectors), root=str(root), model=model, doubtful=0.5)
    return {(row["kind"], row["subject"]) for row in found.to_pylist()}


@pytest.mark.parametrize("parts", SHARDINGS)
def test_outliers_and_splits_of_each_identity_in_any_shards(tmp_path: Path, parts: list[tuple[int, int]]) -> None:
    found = [suspects_found(tmp_path, *part, v) for part, v in zip(parts, vector_shards(tmp_path, parts), strict=True)]
    unchanged = {("poor", FACES[start]["face_id"]) for start, _ in parts}
    assert set().union(*found) == {("split", "two0")} | {("outlier", face) for face in OUTLIERS} | unchanged


def test_the_model_is_the_same_in_any_shards(tmp_path: Path) -> None:
    models = []
    for parts in SHARDINGS:
        run = {"schema": TWO_COVARIANCE, "unhashed": {"root": str(tmp_path)}}
        table = build(str(tmp_path), "fit", two_covariance_shard, [tuple(vector_shards(tmp_path, parts))], **run)
        models.append(read_model(str(tmp_path), table.shards[0]))
    assert models[0] == models[1]
    assert models[0].weights == pytest.approx((0.5, 0.5))
