"""The faces and embeddings tables with the chosen faces: the same rows, of which those of the choices are replaced."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.tables.table import Shard, read_shard

CHOICE = ["photo", "face_id"]


def chosen_faces_shard(part: tuple[Shard, Shard, Shard], *, root: str, detector: object) -> pa.Table:  # noqa: ARG001
    """The faces of one shard of photos; part: the shards of main faces, of candidates and of choices.

    detector: the one that found the faces. It is among the parameters because a table of faces names it.
    """
    columns = [name for name in schema.FACES.names if name in schema.CANDIDATES.names and name != "face_id"]
    return _with_choices(root, part, columns)


def chosen_embeddings_shard(part: Sequence[Shard], *, root: str, embedder: object) -> pa.Table:  # noqa: ARG001
    """The embeddings of one shard of photos; part: the shards of the main faces' embeddings, of those of the further
    faces, and of choices. embedder: the one that made them, among the parameters likewise."""
    return _with_choices(root, part, ["x", "norm"])


def _with_choices(root: str, part: Sequence[Shard], columns: Sequence[str]) -> pa.Table:
    """The first shard of the part with these columns taken from the second, for the choices in the third."""
    main, further, choices = (read_shard(root, shard, c) for shard, c in zip(part, (None, None, CHOICE), strict=True))
    place = pc.index_in(choices["face_id"], value_set=further["face_id"].combine_chunks())
    return _replaced(main, further.take(place).select(columns), choices["photo"]) if len(choices) else main


def _replaced(table: pa.Table, rows: pa.Table, photos: pa.ChunkedArray) -> pa.Table:
    """The table with the columns of `rows` in the rows of these photos; all other rows and columns stay."""
    place = pc.index_in(table["face_id"], value_set=photos.combine_chunks()).fill_null(-1).to_numpy()
    take = pa.array(np.where(place >= 0, len(table) + place, np.arange(len(table))))
    for name in rows.schema.names:
        column = pa.chunked_array([*table[name].chunks, *rows[name].chunks], table[name].type)
        table = table.set_column(table.schema.get_field_index(name), table.field(name), column.take(take))
    return table
