"""The refined faces as WebDataset: .tar shards of key.jpg, key.cls and key.json, in the order of the shuffle.

The same table gives the same bytes: members have no owner, no time, and one order.
"""

import json
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from pipeline.refined.formats.shard_plan import ShardSize, face_file, pieces, shard_rows
from pipeline.tables.digests import digest_of_file
from pipeline.tables.table import Table

COLUMNS = ("face_id", "key", "identity", "label", "jpeg")  # of the refined table
# what a .tar takes for a photo beside its bytes: three headers, blocks of .cls and .json, and half a block of padding
BYTES_BESIDE = 3 * tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE + tarfile.BLOCKSIZE // 2


def write_shards(table: Table, folder: Path, size: ShardSize, tick: Callable[[int], None]) -> list[dict[str, object]]:
    """Write train-00000.tar...; returns the path, digest and number of photos of each.

    table: the refined table. The key of a sample is its face_id, which has no dot and is a safe file name; names of
    identities and photos stand in its .json alone.
    """
    rows_of_shards = shard_rows(table, size, bytes_beside=BYTES_BESIDE)
    files: list[dict[str, object]] = []
    for number, parts in groupby(pieces(table, COLUMNS, rows_of_shards, tick), key=itemgetter(0)):
        name = f"train-{number:05d}.tar"
        with tarfile.open(folder / name, "w", format=tarfile.USTAR_FORMAT) as archive:
            for _, part in parts:
                for batch in part.to_batches(max_chunksize=1024):
                    for row in batch.to_pylist():
                        for member, data in _members(row):
                            _add(archive, member, data)
        files.append({"path": name, "digest": digest_of_file(str(folder), name), "rows": rows_of_shards[number]})
    return files


def _members(row: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The files of one sample; row: of the refined table."""
    yield face_file(row["face_id"], row["jpeg"]), row["jpeg"]
    yield f"{row['face_id']}.cls", str(row["label"]).encode()
    fields = {name: row[name] for name in ("identity", "label", "key")}
    yield f"{row['face_id']}.json", json.dumps(fields, allow_nan=False).encode()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)  # of owner 0 without a name, and of the time 0
    entry.size = len(data)
    archive.addfile(entry, BytesIO(data))
    cast("Any", archive).members.clear()  # the list would grow with the shard, and is not needed to write
