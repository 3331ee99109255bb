"""Two copies of the same drawn photos, each refined: real files of another size, quality and name; drawn embeddings."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pipeline import schema
from pipeline.faces.sketch import sketch
from pipeline.noise.stages import find_noise
from pipeline.refined.labels import label
from pipeline.refinement import Refinement, RefineOptions, publish
from pipeline.sample.photo_bytes import PAGE, encode
from pipeline.sample.recompressed_copies import PHOTOS, read_names, recompressed_copy
from pipeline.sources.index import Source, index_photos
from pipeline.tables.build import build
from pipeline.tables.columns import vector_column
from pipeline.tables.table import Shard, read_shard
from tests.builders.session.made_once import made_once
from tests.builders.tables.drawn_vectors import DIM, picture, unit
from tests.builders.tables.planted_noise import planted_noise

MODEL = ["arcface", "ab" * 32, "none"]  # as embeddings tables name their model
COPIES = {"a": (85, 0.9, False), "b": (90, 1.2, True)}  # quality, scale, and whether the names are others


class DrawnFace(NamedTuple):
    """The vector (None: no face) and the number of the picture of a photo."""

    x: NDArray[np.floating] | None
    number: int


class TwoCopies(NamedTuple):
    """The roots of both copies, and by a photo's key in the first one its key in the second."""

    a: str
    b: str
    names: dict[str, str]


def two_copies(factory: pytest.TempPathFactory) -> TwoCopies:
    """The copies, made once for all tests, which no test may change."""
    folder = made_once(factory, "two-copies", _make)
    return TwoCopies(str(folder / "a/root"), str(folder / "b/root"), read_names(folder / "b"))


def _make(folder: Path) -> None:
    faces: dict[str, DrawnFace] = {}
    for key, identity, x, number in planted_noise(0).rows:
        if identity is not None:
            faces[key] = DrawnFace(x, number)
            (folder / "photos" / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / "photos" / key).write_bytes(PAGE if x is None else encode(picture(number)))
    for i, (name, (quality, scale, renamed)) in enumerate(COPIES.items()):
        recompressed_copy(folder / "photos", folder / name, quality=quality, scale=scale, renamed=renamed)
        names = read_names(folder / name)
        _refine(str(folder / name / "root"), folder / name / PHOTOS, {names[k]: f for k, f in faces.items()}, seed=i)


def _refine(root: str, photos: Path, drawn: Mapping[str, DrawnFace], *, seed: int) -> None:
    """Refine a copy; seed: of what its size and quality change in the vectors."""
    table, _ = index_photos(root, [Source("photos", "image-folder", str(photos))], shards=2)
    run = {"unhashed": {"root": root, "drawn": drawn, "photos": photos, "seed": seed}}
    parts = list(table.shards)
    faces = build(root, "faces", _faces_shard, parts, schema=schema.FACES, **run)
    embeddings = build(
        root, "embeddings", _vectors_shard, parts, schema=schema.embeddings(DIM), params={"embedder": MODEL}, **run
    )
    noise = find_noise(root, faces, [embeddings])
    labelling = label(root, table, noise, undecided="keep", min_faces=2)
    options = RefineOptions(aligned=True, sources={"photos": ("image-folder", str(photos))})
    refinement = Refinement(table, faces, (embeddings,), **noise._asdict(), **labelling._asdict(), options=options)
    publish(root, refinement)


def _faces_shard(part: Shard, *, root: str, drawn: Mapping[str, DrawnFace], photos: Path, seed: int) -> pa.Table:
    del seed
    rows = []
    for photo in read_shard(root, part, ["face_id", "key", "identity"]).to_pylist():
        face = drawn[photo["key"]]
        row = {"face_id": photo["face_id"], "identity": photo["identity"]}
        row["sha"] = sha256((photos / photo["key"]).read_bytes()).hexdigest()
        has_face = face.x is not None
        row |= {"sketch": sketch(picture(face.number)), "size_px": 90.0} if has_face else {"failure": "no_face: none"}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=schema.FACES)


def _vectors_shard(
    part: Shard, *, root: str, drawn: Mapping[str, DrawnFace], photos: Path, seed: int, embedder: list[str]
) -> pa.Table:
    del photos, embedder
    table = read_shard(root, part, ["face_id", "key", "identity"])
    rng = np.random.default_rng([seed, len(table)])
    faces = [drawn[key].x for key in table["key"].to_pylist()]
    x = np.array([np.zeros(DIM) if face is None else unit(face + rng.normal(size=DIM) * 0.005) for face in faces])
    has_face = np.array([face is not None for face in faces])
    norms = pa.array(np.full(len(table), 10.0, np.float32), mask=~has_face)
    columns = [table["face_id"], table["identity"], vector_column(x.astype(np.float16), has_face), norms]
    return pa.table(columns, schema=schema.embeddings(DIM))
