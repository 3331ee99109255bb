"""How an export is split into files (shards): as few as keep to the size asked for, with equal numbers of photos.

Equal numbers matter to those who read: a worker with a smaller shard waits for the others. The table's shards are read
one after the other, so no more than one of them is in memory.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.tables.table import Table, column_bytes

MAX_SHARDS = 99_999  # names have five digits


class ShardSize(NamedTuple):
    """The most that a file of an export shall hold: so many photos, or so many bytes on average."""

    number: int
    unit: Literal["photos", "bytes"]


DEFAULT_SIZE = ShardSize(100_000_000, "bytes")  # about 15,000 faces: enough files to share among workers


def shard_rows(table: Table, size: ShardSize, *, bytes_beside: int = 0) -> list[int]:
    """The number of photos of each shard; their sum is that of the table, and they differ by one at most.

    bytes_beside: that the format takes for each photo besides its picture. A shard may be larger than a size in bytes
    by as much as its photos are larger than the average. Raises UserError where there would be more than MAX_SHARDS.
    """
    rows = len(table)
    total = rows if size.unit == "photos" else column_bytes(table, "jpeg") + rows * bytes_beside
    count = min(rows, max(1, -(-total // size.number)))
    if count > MAX_SHARDS:
        raise UserError(
            f"{rows} photos would become {count} files: give a --shard-size that makes {MAX_SHARDS} at most"
        )
    return [(i + 1) * rows // count - i * rows // count for i in range(count)]


def pieces(
    table: Table, columns: Sequence[str], rows_of_shards: Sequence[int], tick: Callable[[int], None]
) -> Iterator[tuple[int, pa.Table]]:
    """The number of a shard of the export and some of its rows, in order; a piece lies in one shard of the table.

    tick: is called after each shard of the table with its number of rows.
    """
    shard, left = 0, rows_of_shards[0] if rows_of_shards else 0
    for rows in table.batches(columns):
        start = 0
        while start < len(rows):
            if not left:
                shard += 1
                left = rows_of_shards[shard]
            piece = rows.slice(start, left)
            yield shard, piece
            start, left = start + len(piece), left - len(piece)
        tick(len(rows))


def face_file(face_id: str, picture: bytes) -> str:
    """The name of a face's file; its suffix is that of the picture, since exports may hold PNG and WebP."""
    suffix = ".png" if picture.startswith(b"\x89PNG") else ".webp" if picture[:4] == b"RIFF" else ".jpg"
    return f"{face_id}{suffix}"
