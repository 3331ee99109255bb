"""The map table: the place of each person in a plane. Row i is about row i of the persons table; it holds no names.

It is made when somebody opens the map the first time, not by a refinement, and is no part of one.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.browse.map.layout import SETTINGS, Progress, layout
from pipeline.noise.calibration import read_calibration
from pipeline.noise.search.candidates import without_impostor_mean
from pipeline.refinement import Refinement
from pipeline.tables.build import build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Shard, Table, read_shards

MAP = pa.schema([("x", pa.float32()), ("y", pa.float32())])  # each from -1 to 1


def build_map(refinement: Refinement, progress: Progress = lambda _: None) -> Table:
    """The map of a refinement's persons; a table that exists is found. progress: is called with the share done."""
    return build(
        refinement.root,
        "map",
        map_shard,
        [(tuple(refinement.persons.shards), refinement.calibration.shards[0])],
        schema=MAP,
        params={"settings": SETTINGS},
        unhashed={"root": refinement.root, "progress": progress},
    )


def map_shard(
    part: tuple[Sequence[Shard], Shard], *, root: str, settings: Sequence[float], progress: Progress
) -> pa.Table:
    """The places of all persons; part: the shards of persons, and that of the calibration.

    settings: those of the layout, which are in the table's address.
    """
    del settings
    places = layout(_person_vectors(root, *part), progress)
    return pa.table({"x": places[:, 0], "y": places[:, 1]}, schema=MAP)


def _person_vectors(root: str, persons: Sequence[Shard], calibration: Shard) -> NDArray[np.float32]:
    """A unit vector [n, d] of each person, the embedders' vectors beside each other.

    The cosine of two is the mean of the embedders' cosines, in which what all faces have in common does not count.
    """
    impostors = read_calibration(root, calibration).impostors
    parts: list[list[NDArray[np.float32]]] = [[] for _ in impostors]
    columns = [f"x{e}" for e in range(len(impostors))]
    for rows in read_shards(root, persons, columns):
        for part, column, model in zip(parts, columns, impostors, strict=True):
            part.append(without_impostor_mean(vectors(rows[column])[0], model))
    x = np.concatenate([np.concatenate(part) for part in parts], axis=1)
    x /= np.float32(np.sqrt(len(parts)))
    return x
