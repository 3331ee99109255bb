"""Numbers that the memory of a search among all persons depends on."""

from typing import NamedTuple

from pipeline.noise.person_gallery import comparable
from pipeline.noise.scores.fusion import Calibration
from pipeline.tables.table import Table


class GalleryCounts(NamedTuple):
    """The size of the gallery of persons, and of what is searched in it."""

    persons: int  # in the gallery: those that comparable() accepts
    strays: int  # the largest possible number of faces that belong to none of these
    dims: tuple[int, ...]  # the length of each embedder's vectors


def count_gallery(calibration: Calibration, persons: Table, dims: tuple[int, ...]) -> GalleryCounts:
    """The counts of a persons table. dims: the length of each embedder's vectors."""
    count, faces = 0, 0
    for rows in persons.batches(["cluster", "size", "of", "cohesion", "cohesion_second"]):
        compared = comparable(rows, calibration)
        cluster, of, size = (rows[c].to_numpy() for c in ("cluster", "of", "size"))
        count += int(compared.sum())
        faces += int(of[cluster == 0].sum()) - int(size[compared].sum())
    return GalleryCounts(count, faces, dims)
