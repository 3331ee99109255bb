"""Drawn persons of whose faces some are blurred: their vectors lie near one common direction, as those of real ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.faces.face_quality.degradations import ORIGINAL
from pipeline.faces.face_quality.degraded_faces import degraded_schema
from pipeline.tables.build import build
from pipeline.tables.columns import vector_column
from pipeline.tables.table import Table
from tests.builders.tables.drawn_vectors import DIM, named_rows, person, photos_of, unit

BLUR = unit(np.random.default_rng(99).normal(size=DIM))  # the direction to which blurred faces move
LOSSES = (0.0, 0.3, 0.6, 0.8, 0.95)  # of the steps of degradation


class Face(NamedTuple):
    """A face: its key and identity, and its vector, norm and sharpness."""

    key: str
    identity: str
    x: np.ndarray
    norm: float
    sharpness: float


def blurred(x: np.ndarray, loss: float, rng: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """Vector, norm and sharpness of a face with vector x after it lost this share of its information (0 to 1)."""
    moved = unit((1 - loss) * x + loss * BLUR + 0.25 * loss * unit(rng.normal(size=DIM)))
    return moved, float(11 - 7 * loss + rng.normal(0, 0.3)), float(np.exp(5 - 4 * loss + rng.normal(0, 0.3)))


def sharp_faces(identity: str, shown: np.ndarray, n: int, rng: np.random.Generator) -> list[Face]:
    """n sharp photos of a person under an identity; shown: the person's vector."""
    photos = photos_of(shown, n, rng)
    return [Face(f"{identity}/sharp{k}", identity, *blurred(x, 0.0, rng)) for k, x in enumerate(photos)]


def blurs(identity: str, n: int, rng: np.random.Generator) -> list[Face]:
    """n blurred photos of as many people, none of whom has an identity, under one identity."""
    return [Face(f"{identity}/blur{k}", identity, *blurred(person(rng), 0.9, rng)) for k in range(n)]


def face_tables(root: str, faces: Sequence[Face]) -> tuple[Table, Table, Table]:
    """The tables photos, faces and embeddings, of one shard each."""
    rows: dict[str, list[dict[str, object]]] = {"photos": [], "faces": [], "embeddings": []}
    for number, face in enumerate(sorted(faces, key=lambda f: f.key)):
        base = {"face_id": schema.face_id("s", face.key), "identity": face.identity}
        rows["photos"].append(base | {"source": "s", "key": face.key, "file": face.key})
        rows["faces"].append(
            base | {"sha": f"{number:064x}", "size_px": 90.0, "sharpness": face.sharpness, "failure": None}
        )
        rows["embeddings"].append(base | {"x": np.asarray(face.x, np.float16).tobytes(), "norm": face.norm})
    kinds = {"photos": schema.PHOTOS, "faces": schema.FACES, "embeddings": schema.embeddings(DIM)}
    photos, faces_table, embeddings = (
        build(root, kind, named_rows, [f"s:{kind}"], schema=columns, unhashed={"rows": rows[kind], "kind": columns})
        for kind, columns in kinds.items()
    )
    return photos, faces_table, embeddings


def degraded_rows(rng: np.random.Generator, people: int = 40) -> pa.Table:
    """A degraded table of people who are not in the data, in steps of LOSSES."""
    lines = []
    for p in range(people):
        x = person(rng)
        lines += [(f"{p:03}", ORIGINAL if not loss else f"blur {loss}", *blurred(x, loss, rng)) for loss in LOSSES]
    ids, steps, x, norm, sharp = zip(*lines, strict=True)
    vectors = vector_column(np.array(x, np.float16))
    columns = [
        ids,
        steps,
        pa.array(sharp, pa.float32()),
        pa.nulls(len(ids), pa.float32()),
        pa.array(norm, pa.float32()),
    ]
    return pa.table([*columns, vectors], schema=degraded_schema([DIM]))


def degraded_table(root: str, rng: np.random.Generator) -> Table:
    """degraded_rows() as a table of a root."""
    rows = degraded_rows(rng)
    return build(root, "degraded", _given, ["drawn"], schema=rows.schema, unhashed={"rows": rows})


def _given(part: str, *, rows: pa.Table) -> pa.Table:
    del part
    return rows
