"""Reference photos of other people: embedded like the data's, and used by the calibration alone.

They are those of --reference, or else, where the data has few identities, the cohorts of its embedders.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from flows.refine.calibration.cohort import copy_cohorts, find_cohorts, has_few_identities
from flows.refine.models import Models
from flows.refine.tables import build_all_embeddings, build_faces
from flows.refine.test_sets import check_has_faces, index_test_set
from pipeline.tables.build import Workers
from pipeline.tables.table import Table

WHAT = "photos of other people"


class ReferencePhotos(NamedTuple):
    """Photos of other people: their names, all their tables, and for each set its embeddings by each embedder."""

    names: tuple[str, ...]
    tables: tuple[Table, ...]
    embeddings: tuple[list[Table], ...]


def reference_photos(
    root: str, photos: Table, paths: Sequence[str], models: Models, *, workers: Workers = None
) -> ReferencePhotos:
    """The reference photos of a refinement of these photos.

    paths: of --reference: folders of people, or of photos that each show another person, or another kind of test set.
    Raises UserError for a path without a face.
    """
    if paths:
        sets = [_embedded(root, path, models, workers=workers) for path in paths]
        tables = tuple(table for faces, embeddings in sets for table in (faces, *embeddings))
        return ReferencePhotos(tuple(Path(path).name for path in paths), tables, tuple(e for _, e in sets))
    cohorts = find_cohorts(models.embedders) if has_few_identities(photos) else []
    copied = copy_cohorts(root, cohorts) if cohorts else []
    if not copied:
        return ReferencePhotos((), (), ())
    return ReferencePhotos((f"cohort {cohorts[0].name}",), tuple(copied), (copied,))


def _embedded(root: str, path: str, models: Models, *, workers: Workers) -> tuple[Table, list[Table]]:
    """The faces of reference photos, and their embeddings by each embedder."""
    indexed = index_test_set(root, path, workers=workers)
    faces = build_faces(
        root, indexed.photos, indexed.source_paths, models.detector, aligned=indexed.aligned, workers=workers
    )
    check_has_faces(faces, path, what=WHAT)
    return faces, build_all_embeddings(root, faces, models.embedders, workers=workers)
