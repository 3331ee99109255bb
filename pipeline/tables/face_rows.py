"""The rows of some faces in a large table, read shard by shard so that the whole table is never in memory."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.table import Table


def rows_of_faces(table: Table, face_ids: Collection[str], columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """For each row whose face_id is among face_ids the values of these columns, in the order of `columns`.

    Rows come in the table's order; a face_id that is not in the table gives no row.
    """
    wanted = pa.array(sorted(face_ids), pa.string())
    for shard in table.batches(dict.fromkeys(["face_id", *columns])):
        rows = shard.filter(pc.is_in(shard["face_id"], value_set=wanted))
        yield from zip(*(rows[c].to_pylist() for c in columns), strict=True)
