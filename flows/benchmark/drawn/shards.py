"""The shards of a drawn world's tables photos, faces, embeddings and truth: the same photos in the same order."""

from functools import cache

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flows.benchmark.drawn.identities import DrawnIdentity, Plan, draw_embeddings, draw_identities
from pipeline import schema
from pipeline.faces.sketch import SIDE
from pipeline.schema import digest
from pipeline.tables.columns import vector_column

SMALL = 7  # side in pixels of the picture that is enlarged to a sketch, so that sketches are as smooth as faces
TRUTH = pa.schema([("face_id", pa.string()), ("identity", pa.string()), ("person", pa.int64()), ("kind", pa.string())])
Part = tuple[int, int]  # a shard's number, and how many there are


def photos_shard(part: Part, *, plan: list[int]) -> pa.Table:
    """The photos of one shard. They have no files: no stage after the embeddings reads any."""
    drawn_from = Plan(*plan)
    identities = draw_identities(part, drawn_from)
    keys = [f"{i.name}/{k:05}.jpg" for i in identities for k in range(len(i.person))]
    zero = pa.array(np.zeros(len(keys), np.int64))
    columns = {
        "face_id": _face_ids(identities, drawn_from),
        "identity": _identity_names(identities),
        "source": pa.array(["drawn"] * len(keys), pa.string()),
        "key": pa.array(keys, pa.string()),
        "file": pa.array([""] * len(keys), pa.string()),
        **dict.fromkeys(("offset", "length", "modified"), zero),
    }
    return _with_nulls(columns, len(keys), schema.PHOTOS)


def faces_shard(part: Part, *, plan: list[int]) -> pa.Table:
    """The faces of one shard, without pictures: sketches and digests, by which duplicates are found."""
    drawn_from = Plan(*plan)
    identities = draw_identities(part, drawn_from)
    sketches, digests = [], []
    for identity in identities:
        identity_sketches, identity_digests = _draw_sketches(identity, drawn_from)
        sketches.append(identity_sketches)
        digests += identity_digests
    flat = np.concatenate(sketches) if sketches else np.zeros((0, SIDE * SIDE), np.uint8)
    offsets = pa.array(np.arange(len(flat) + 1, dtype=np.int32) * SIDE * SIDE)
    columns = {
        "face_id": _face_ids(identities, drawn_from),
        "identity": _identity_names(identities),
        "sha": pa.array(digests, pa.string()),
        "sketch": pa.Array.from_buffers(pa.binary(), len(flat), [None, offsets.buffers()[1], pa.py_buffer(flat)]),
        "score": pa.array(np.full(len(flat), 0.9), pa.float32()),
        "size_px": pa.array(np.full(len(flat), 80.0), pa.float32()),
    }
    return _with_nulls(columns, len(flat), schema.FACES)


def _draw_sketches(identity: DrawnIdentity, plan: Plan) -> tuple[NDArray[np.uint8], list[str]]:
    """Sketches [n, SIDE^2] and digests of an identity's photos; half of the duplicates are as if recompressed."""
    rng = np.random.default_rng([plan.seed, 3, identity.number])
    small = rng.integers(0, 255, (len(identity.person), SMALL * SMALL), np.uint8)
    original = np.where(identity.copy_of >= 0, identity.copy_of, np.arange(len(small)))
    pixels = np.clip(small[original].astype(np.float32) @ _enlargement(), 0, 255).astype(np.uint8)
    recompressed = np.flatnonzero((identity.copy_of >= 0) & (np.arange(len(small)) % 2 == 1))
    grain = rng.integers(0, 3, (len(recompressed), SIDE * SIDE), np.uint8)
    pixels[recompressed] = np.clip(pixels[recompressed].astype(np.int16) + grain, 0, 255)
    original[recompressed] = recompressed
    ids = identity.face_ids(plan)
    return pixels, [digest("sha", ids[k], size=32) for k in original.tolist()]


@cache
def _enlargement() -> NDArray[np.float32]:
    """The matrix [SMALL^2, SIDE^2] that enlarges a flattened picture to a flattened sketch."""
    one_side = cv2.resize(np.eye(SMALL, dtype=np.float32), (SMALL, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.kron(one_side, one_side).T, np.float32)


def embeddings_shard(part: Part, *, plan: list[int]) -> pa.Table:
    """The embeddings of one shard."""
    drawn_from = Plan(*plan)
    identities = draw_identities(part, drawn_from)
    x = [draw_embeddings(identity, drawn_from) for identity in identities]
    flat = np.concatenate(x).astype(np.float16) if x else np.zeros((0, drawn_from.dim), np.float16)
    norms = pa.array(np.full(len(flat), 20.0), pa.float32())
    columns = [_face_ids(identities, drawn_from), _identity_names(identities), vector_column(flat), norms]
    return pa.table(columns, schema=schema.embeddings(drawn_from.dim))


def truth_shard(part: Part, *, plan: list[int]) -> pa.Table:
    """The truth of one shard: the person that each photo shows, and its kind."""
    drawn_from = Plan(*plan)
    identities = draw_identities(part, drawn_from)
    person = np.concatenate([i.person for i in identities]) if identities else np.zeros(0, np.int64)
    kinds = pa.array([str(kind) for i in identities for kind in i.kind], pa.string())
    columns = [_face_ids(identities, drawn_from), _identity_names(identities), pa.array(person), kinds]
    return pa.table(columns, schema=TRUTH)


def _face_ids(identities: list[DrawnIdentity], plan: Plan) -> pa.Array:
    return pa.array([face_id for i in identities for face_id in i.face_ids(plan)], pa.string())


def _identity_names(identities: list[DrawnIdentity]) -> pa.Array:
    return pa.array([i.name for i in identities for _ in i.person], pa.string())


def _with_nulls(columns: dict[str, pa.Array], rows: int, fields: pa.Schema) -> pa.Table:
    """A table with all fields: these columns, and nulls in the fields without one."""
    return pa.table([columns.get(f.name, pa.nulls(rows, f.type)) for f in fields], schema=fields)
