"""A case as tables: the faces and embeddings of a refined data set under the identities of a case, and its truth.

Nothing is detected or embedded again, so that a case takes seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.noise.stages import Noise, find_noise
from pipeline.refined.labels import label
from pipeline.refined.scoring.known_truth import Truth
from pipeline.refinement import Refinement
from pipeline.sample.cases.labelled_photos import LabelledPhoto, persons_of
from pipeline.tables.build import build
from pipeline.tables.columns import vector_column, vectors
from pipeline.tables.table import Table

Vectors = NDArray[np.floating[Any]]
SOURCE = "case"


@dataclass(frozen=True)
class RefinedRows:
    """The faces of a refined data set and each embedder's vectors of them, by the key of the photo."""

    faces: pa.Table  # columns of FACES but identity and jpeg; row i is that of number i
    embeddings: list[Vectors]  # for each embedder [n, d]
    row: Mapping[str, int]  # by key

    @classmethod
    def read(cls, refinement: Refinement, *, embedder: int | None = None) -> "RefinedRows":
        """The rows of the faces that have a vector by every embedder. embedder: the number of the only one to use."""
        tables = refinement.embeddings if embedder is None else (refinement.embeddings[embedder],)
        columns = [vectors(table.read(["x"])["x"]) for table in tables]
        valid = np.flatnonzero(np.logical_and.reduce([v for _, v in columns]))
        faces = refinement.faces.read([n for n in schema.FACES.names if n not in ("identity", "jpeg")])
        keys = refinement.photos.read(["key"])["key"].take(pa.array(valid)).to_pylist()
        return cls(faces.take(pa.array(valid)), [x[valid] for x, _ in columns], {key: i for i, key in enumerate(keys)})

    def vectors_by_key(self, embedder: int = 0) -> dict[str, Vectors]:
        """The vectors of one embedder, by key."""
        return {key: self.embeddings[embedder][i].astype(np.float32) for key, i in self.row.items()}


@dataclass(frozen=True)
class CaseResult:
    """The labels of a case, the noise that was found in it, and its truth."""

    labels: Table
    noise: Noise
    truth: Truth
    photos: Sequence[LabelledPhoto]  # in the order of the labels and of the truth


def refine_case(
    root: Path, photos: Sequence[LabelledPhoto], rows: RefinedRows, *, build: Callable[..., Table] = build
) -> CaseResult:
    """The labels of a case by the noise stages with their defaults; photos that `rows` lacks are left out.

    build: the function that builds a table, for callers that replace a stage.
    """
    known = sorted((p for p in photos if p.file in rows.row), key=lambda p: (p.claimed, p.path))
    of_photo = np.array([rows.row[p.file] for p in known], np.int64)
    ids = [schema.face_id(SOURCE, p.path) for p in known]
    columns = {"face_id": ids, "identity": [p.claimed for p in known]}
    photo_rows = pa.Table.from_pydict(columns | {"key": [p.path for p in known], "source": [SOURCE] * len(known)})
    faces = rows.faces.take(pa.array(of_photo)).drop_columns(["face_id"])
    for name, values in columns.items():
        faces = faces.append_column(name, pa.array(values, pa.string()))
    photo_table = _table(root, "photos", photo_rows, schema.PHOTOS)
    face_table = _table(root, "faces", faces, schema.FACES)
    embeddings = []
    for e, x in enumerate(rows.embeddings):
        vector = vector_column(np.ascontiguousarray(x[of_photo], np.float16))
        table = pa.table({**{n: pa.array(v, pa.string()) for n, v in columns.items()}, "x": vector})
        embeddings.append(_table(root, "embeddings", table, schema.embeddings(x.shape[1]), part=e))
    noise = find_noise(str(root), face_table, embeddings, build=build)
    labels = label(str(root), photo_table, noise, undecided="keep", min_faces=2).labels
    return CaseResult(labels, noise, _truth(known), known)


def _table(root: Path, name: str, rows: pa.Table, columns: pa.Schema, *, part: int = 0) -> Table:
    """A table of one shard with these rows; columns that they lack are null."""
    return build(str(root), name, _rows, [part], schema=columns, unhashed={"rows": rows, "columns": columns})


def _rows(part: int, *, rows: pa.Table, columns: pa.Schema) -> pa.Table:
    del part
    known = set(rows.schema.names)
    filled = [rows[f.name].cast(f.type) if f.name in known else pa.nulls(len(rows), f.type) for f in columns]
    return pa.table(filled, schema=columns)


def _truth(photos: Sequence[LabelledPhoto]) -> Truth:
    place = {p.path: i for i, p in enumerate(photos)}
    original = [place.get(p.of, -1) if p.kind == "duplicate" else -1 for p in photos]
    claimed, person, kind = ([getattr(p, name) for p in photos] for name in ("claimed", "person", "kind"))
    return Truth(claimed, person, kind, np.array(original, np.int64), persons_of(photos))


def probabilities_and_truth(case: CaseResult) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The probability [n] of each photo with one of being an outlier, and whether its label is wrong [n].

    Photos of a person who shares the identity with another one are left out: they are neither.
    """
    findings = case.noise.findings.read(["kind", "subject", "probability"])
    findings = findings.filter(pc.and_(pc.equal(findings["kind"], "outlier"), findings["probability"].is_valid()))
    of_face = dict(zip(findings["subject"].to_pylist(), findings["probability"].to_pylist(), strict=True))
    shared = {claimed for claimed, persons in case.truth.persons.items() if len(persons) > 1}
    kinds = {"clean": False, "outlier": True, "flip": True}
    rows = zip(case.labels.read(["face_id"])["face_id"].to_pylist(), case.truth.kind, case.truth.claimed, strict=True)
    pairs = [(of_face[f], kinds[k]) for f, k, c in rows if f in of_face and k in kinds and c not in shared]
    return np.array([p for p, _ in pairs], np.float64), np.array([wrong for _, wrong in pairs], bool)
