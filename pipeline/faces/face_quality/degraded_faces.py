"""The degraded table: some faces of the data, degraded in known steps, embedded as the data is.

From it the noise stages learn what lost information does to an embedding, without a label: a degraded face shows the
person of its original. The sample has a fixed size, so that its cost does not grow with the data.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.faces.accelerator.face_network import faces_at_once
from pipeline.faces.embed import check_embeddings
from pipeline.faces.face_quality.degradations import STEPS
from pipeline.faces.face_quality.quality_model import FaceQualityModel
from pipeline.faces.picture import Image
from pipeline.faces.protocols import FaceEmbedder
from pipeline.faces.quality import sharpness
from pipeline.tables.columns import vector_column
from pipeline.tables.table import Shard, read_shard, read_shards

FACES = 32  # in the sample; with 24 to 128 the same faces of 4,715 are poor
CANDIDATES = 4  # times as many are drawn, and the sharpest taken: a blurred original teaches nothing
MIN_FACES = 12  # with fewer nothing is learned
SHARE = 20  # at most one face of so many is in the sample, which bounds its cost on small data


def degraded_schema(dims: Sequence[int]) -> pa.Schema:
    """The columns of a degraded table for embedders of the given dimensions."""
    return pa.schema(
        [
            ("face_id", pa.string()),  # of the original
            ("step", pa.string()),  # the name of the degradation: see degradations.STEPS
            ("sharpness", pa.float32()),
            ("measure", pa.float32()),  # the output of the face-quality model; null: there is none
            *((f"norm{e}", pa.float32()) for e in range(len(dims))),  # that the embedder gave
            *((f"x{e}", pa.binary(2 * d)) for e, d in enumerate(dims)),  # float16, little-endian: a unit vector
        ]
    )


def degraded_shard(
    part: Sequence[Shard],
    *,
    root: str,
    embedders: Sequence[FaceEmbedder],
    batch: int,
    quality_model: FaceQualityModel | None = None,
) -> pa.Table:
    """The sample's faces in every step of degradation; no rows for data with too few faces.

    part: all shards of faces. batch: faces that a model gets at a time on a processor.
    """
    schema = degraded_schema([e.dim for e in embedders])
    originals = _sample(root, part)
    if not originals:
        return schema.empty_table()
    faces = [degrade(face) for face in originals.values() for degrade in STEPS.values()]
    columns = [
        pa.array([face_id for face_id in originals for _ in STEPS]),
        pa.array(list(STEPS) * len(originals)),
        pa.array([sharpness(face) for face in faces], pa.float32()),
        pa.nulls(len(faces), pa.float32())
        if quality_model is None
        else pa.array(_in_batches(quality_model, faces, batch), pa.float32()),
    ]
    x = [_in_batches(embedder, faces, batch) for embedder in embedders]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        norms = [np.linalg.norm(rows, axis=1) for rows in x]
    for embedder, norm in zip(embedders, norms, strict=True):
        check_embeddings(norm, pa.chunked_array([columns[0]]), embedder)
    columns += [pa.array(norm, pa.float32()) for norm in norms]
    for rows, norm in zip(x, norms, strict=True):
        columns.append(vector_column((rows / np.maximum(norm, 1e-12)[:, None]).astype(np.float16)))
    return pa.table(columns, schema=schema)


def _in_batches(
    model: Callable[[NDArray[np.uint8]], NDArray[np.float32]], faces: Sequence[Image], batch: int
) -> NDArray[np.float32]:
    """What a model gives for faces, which it gets as many at a time as suit where it runs."""
    size = faces_at_once(model, batch)
    return np.concatenate([model(np.stack(faces[start : start + size])) for start in range(0, len(faces), size)])


def _sample(root: str, shards: Sequence[Shard]) -> dict[str, Image]:
    """By face_id the faces [112, 112, 3] of the sample: the sharpest of those with the lowest ids (digests)."""
    tables, count = [], 0  # of each shard only the lowest ids are kept
    for table in read_shards(root, shards, ["face_id", "sharpness"]):
        valid = table.filter(table["sharpness"].is_valid())
        tables.append(valid.sort_by("face_id").slice(0, CANDIDATES * FACES))
        count += len(valid)
    faces = pa.concat_tables(tables).sort_by("face_id") if tables else pa.table({"face_id": []})
    size = min(FACES, count // SHARE)
    if size < MIN_FACES:
        return {}
    drawn = faces.slice(0, CANDIDATES * size).sort_by([("sharpness", "descending"), ("face_id", "ascending")])
    wanted = pa.array(sorted(drawn["face_id"].slice(0, size).to_pylist()))
    sample: dict[str, Image] = {}
    for shard, table in zip(shards, tables, strict=True):
        if pc.any(pc.is_in(table["face_id"], value_set=wanted)).as_py():
            rows = read_shard(root, shard, ["face_id", "jpeg"])
            rows = rows.filter(pc.is_in(rows["face_id"], value_set=wanted))
            for face_id, jpeg in zip(rows["face_id"].to_pylist(), rows["jpeg"], strict=True):
                picture = cv2.imdecode(np.frombuffer(jpeg.as_buffer(), np.uint8), cv2.IMREAD_COLOR)
                sample[face_id] = np.asarray(picture, np.uint8)
    return dict(sorted(sample.items()))
