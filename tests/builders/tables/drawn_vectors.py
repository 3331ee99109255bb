"""Drawn persons: unit vectors with planted noise, and tables made of them, as the stages read."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema
from pipeline.faces.sketch import sketch
from pipeline.noise.scores.far_curve import FarCurve
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import ImpostorModel
from pipeline.tables.build import build
from pipeline.tables.table import Table

DIM = 64
# impostors are uniform on the sphere of 64 dimensions: the standard deviation of their cosines is 1/8, so a score is
# eight times the cosine
EVEN = ImpostorModel(np.zeros(DIM), np.eye(DIM) / DIM)
PLAIN = Calibration((EVEN,), (1.0,), (FarCurve(0, 1, 0),), FarCurve(0, 1, 0), 5.6, 0.5, 0.5)
TWO = Calibration((EVEN, EVEN), (0.5, 0.5), (FarCurve(0, 1, 0),) * 2, FarCurve(0, 1, 0), 5.6, 0.5, 0.5)


def unit(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def person(rng: np.random.Generator) -> NDArray[np.floating]:
    return unit(rng.normal(size=DIM))


def photos_of(centre: NDArray[np.floating], n: int, rng: np.random.Generator) -> NDArray[np.floating]:
    """The vectors of n photos of a person; centre: the person's vector. Their cosines are about 0.7."""
    return unit(centre + rng.normal(size=(n, DIM)) * 0.65 / np.sqrt(DIM))


def noisy_identities(
    rng: np.random.Generator, people: int = 300, noise: float = 0.3
) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    """Vectors and identities of three photos of each person; noise: the share of photos that show another person."""
    rows = []
    for _ in range(people):
        x = photos_of(person(rng), 3, rng)
        for k in range(3):
            if rng.random() < noise:
                x[k] = person(rng)
        rows.append(x)
    return np.concatenate(rows), np.repeat(np.arange(people), 3)


def picture(seed: int) -> NDArray[np.uint8]:
    """A random picture [112, 112, 3], smooth as a face is."""
    small = np.random.default_rng(seed).uniform(0, 255, (9, 9, 3)).astype(np.float32)
    return np.clip(cv2.resize(small, (112, 112), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def tables(
    root: str,
    rows: Sequence[tuple[str, str | None, NDArray[np.floating] | None, int]],
    *,
    source: str = "s",
    draw: Callable[[int], NDArray[np.uint8]] = picture,
) -> tuple[Table, Table, Table]:
    """The tables photos, faces and embeddings, of one shard each.

    rows: key, identity, vector (None: no face), number of the picture; draw: draws the face with a number.
    """
    rows_of: dict[str, list[dict[str, object]]] = {"photos": [], "faces": [], "embeddings": []}
    for key, identity, x, number in rows:
        base = {"face_id": schema.face_id(source, key), "identity": identity}
        has_face = x is not None
        rows_of["photos"].append(base | {"source": source, "key": key, "file": key})
        rows_of["faces"].append(
            base
            | {"sha": f"{number:064x}", "sketch": sketch(draw(number)) if has_face else None}
            | {"size_px": 90.0 if has_face else None, "failure": None if has_face else "no_face: none"}
        )
        vector = None if x is None else np.asarray(x, np.float16).tobytes()
        rows_of["embeddings"].append(base | {"x": vector, "norm": 10.0 if has_face else None})
    kinds = [("photos", schema.PHOTOS), ("faces", schema.FACES), ("embeddings", schema.embeddings(DIM))]
    return tuple(  # type: ignore[return-value]
        build(
            root,
            kind,
            named_rows,
            [f"{source}:{kind}"],
            schema=columns,
            unhashed={"rows": rows_of[kind], "kind": columns},
        )
        for kind, columns in kinds
    )


def named_rows(part: str, *, rows: list[dict[str, object]], kind: pa.Schema) -> pa.Table:
    del part
    return pa.Table.from_pylist(rows, schema=kind)


def face_like_rows(n, d, seed, *, knee=8):
    """Unit vectors [n, d] whose variance falls from axis to axis, as that of face embeddings, randomly rotated."""
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(d, d)))[0]
    x = np.random.default_rng(seed).normal(size=(n, d)) / (1 + np.arange(d) / knee)
    return unit(x @ turn).astype(np.float32)
