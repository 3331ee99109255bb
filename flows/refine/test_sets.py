"""The test sets of a refinement: embedded like its photos, to find their people in the training data."""

from pathlib import Path
from typing import NamedTuple

from flows.refine.models import Models
from flows.refine.tables import SourcePaths, build_all_embeddings, build_faces, build_photos
from pipeline.errors import UserError
from pipeline.sources.index import Source
from pipeline.tables.build import Workers
from pipeline.tables.table import Table

KIND = "benchmark"  # the source kind of every test set; it is part of the address of its tables


class IndexedTestSet(NamedTuple):
    """The photos of a test set, where they lie, and whether they are aligned crops."""

    photos: Table
    source_paths: SourcePaths
    aligned: bool


class EmbeddedTestSet(NamedTuple):
    """The faces of a test set, and their embeddings by each embedder of the refinement."""

    faces: Table
    embeddings: list[Table]


def check_has_faces(faces: Table, test_set: str, *, what: str = "a test set of photos") -> None:
    """Raise UserError for a test set of whose photos none can be read or shows a face; faces: its faces table.

    what: it should be, for the message.
    """
    first_fault = ""
    for rows in faces.batches(["jpeg", "failure"]):
        if rows["jpeg"].null_count < len(rows):
            return
        first_fault = first_fault or next((str(f) for f in rows["failure"].to_pylist() if f), "")
    raise UserError(
        f"none of the {len(faces)} photos of {test_set} can be used ({first_fault or 'it has none'}): "
        f"give {what} that show faces"
    )


def test_set_source(path: str | Path) -> Source:
    """A .bin, a list of pairs or a folder of people as a source of photos, named after the path's last part."""
    absolute = Path(path).absolute()
    return Source(absolute.name, KIND, str(absolute))


def index_test_set(root: str, path: str, *, workers: Workers = None) -> IndexedTestSet:
    """The photos of a test set; those in a .bin are aligned by definition."""
    photos, source_paths = build_photos(root, [test_set_source(path)], workers=workers)
    return IndexedTestSet(photos, source_paths, Path(path).suffix == ".bin")


def embed_test_set(root: str, test_set: IndexedTestSet, models: Models, *, workers: Workers = None) -> EmbeddedTestSet:
    """The faces and embeddings of a test set by the models of the refinement.

    Raises UserError for a test set without a face, whose people could not be found in the data.
    """
    photos, source_paths, aligned = test_set
    faces = build_faces(root, photos, source_paths, models.detector, aligned=aligned, workers=workers)
    check_has_faces(faces, next(iter(source_paths.values())).path)
    return EmbeddedTestSet(faces, build_all_embeddings(root, faces, models.embedders, workers=workers))
