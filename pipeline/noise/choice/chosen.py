"""The faces and embeddings tables with the chosen faces: the same rows, of which those of the choices are replaced."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.table import Shard, read_shard


def chosen_faces_shard(part: tuple[Shard, Shard, Shard], *, root: str, detector: object) -> pa.Table:  # noqa: ARG001
    """The faces of one shard of photos; part: the shards of main faces, of candidates and of choices.

    detector: the one that found the faces. It is among the parameters because a table of faces names it.
    """
    main = read_shard(root, part[0])
    choices = read_shard(root, part[2], ["photo", "face_id"])
    if not len(choices):
        return main
    candidates = read_shard(root, part[1])
    place = pc.index_in(choices["face_id"], value_set=candidates["face_id"].combine_chunks())
    columns = [name for name in main.schema.names if name in candidates.schema.names and name != "face_id"]
    return _replaced(main, candidates.take(place).select(columns), choices["photo"])


def chosen_embeddings_shard(part: Sequence[Shard], *, root: str, embedder: object) -> pa.Table:  # noqa: ARG001
    """The embeddings of one shard of photos; part: the shards of the main faces' embeddings, of those of the further
    faces, and of choices. embedder: the one that made them, among the parameters likewise."""
    main = read_shard(root, part[0])
    choices = read_shard(root, part[2], ["photo", "face_id"])
    if not len(choices):
        return main
    further = read_shard(root, part[1])
    place = pc.index_in(choices["face_id"], value_set=further["face_id"].combine_chunks())
    return _replaced(main, further.take(place).select(["x", "norm"]), choices["photo"])


def _replaced(table: pa.Table, rows: pa.Table, photos: pa.ChunkedArray) -> pa.Table:
    """The table with the columns of `rows` in the rows of these photos; all other rows and columns stay."""
    place = pc.index_in(table["face_id"], value_set=photos.combine_chunks()).fill_null(-1).to_numpy()
    take = pa.array(np.where(place >= 0, len(table) + place, np.arange(len(table))))
    for name in rows.schema.names:
        column = pa.chunked_array([*table[name].chunks, *rows[name].chunks], table[name].type)
        table = table.set_column(table.schema.get_field_index(name), table.field(name), column.take(take))
    return table
