"""Finished tables, and how they are read. A table is a manifest that lists shards; manifest and shards are immutable.

    ROOT/<table>/<address>.json            the manifest: rows, shards with their digests, parameters, inputs, versions
    ROOT/<table>/<build>/<part>.parquet    a shard; naming.py says how shards are named

Two tables share the files of equal shards. So when a data set grows, only the new shards take time and space.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.tables import storage
from pipeline.tables.digests import AGAIN, DamagedFile, check_file, content_digest, read_checked
from pipeline.tables.prefetch import READ_THREADS, prefetch

PIECE_BYTES = 1 << 20  # of a file on a disk that are read at a time
FORMAT = 1  # of manifests and refinement.json; to be raised when a new version changes them


class Shard(NamedTuple):
    """One file of a table: its path under the root, the digest of its bytes, its number of rows.

    The names of tables that are made from this shard depend on its digest alone.
    """

    path: str
    digest: str
    rows: int


_checked: set[tuple[str, str, str]] = set()  # root, path and digest of the shards that this process has checked


@dataclass(frozen=True)
class Table:
    """A finished table: its name is that of the stage, its address a digest of all that it was made from."""

    root: str
    name: str
    address: str
    manifest: dict[str, Any] = field(repr=False, compare=False, hash=False)

    @cached_property
    def digest(self) -> str:
        """A digest of what the manifest says of the table: all but what it was made of and by which versions."""
        content = {key: value for key, value in self.manifest.items() if key not in ("inputs", "versions")}
        return content_digest(storage.json_bytes(content))

    @cached_property
    def shards(self) -> list[Shard]:
        """The table's shards in order."""
        return [Shard(s["path"], s["digest"], s["rows"]) for s in self.manifest["shards"]]

    def __len__(self) -> int:
        return int(self.manifest["rows"])

    def batches(self, columns: Iterable[str] | None = None) -> Iterator[pa.Table]:
        """The table's rows, shard by shard."""
        for shard in self.shards:
            yield read_shard(self.root, shard, columns)

    def read(self, columns: Iterable[str] | None = None) -> pa.Table:
        """The whole table in memory."""
        columns = None if columns is None else list(columns)
        return pa.concat_tables(self.batches(columns))


def read_shard(root: str, shard: Shard, columns: Iterable[str] | None = None) -> pa.Table:
    """The rows of one shard. The first time that a process reads it, its bytes are checked against its digest.

    columns: names of columns; None: all. Raises DamagedFile when the file is missing or is not what was written, and
    UserError when it cannot be read.
    """
    columns = None if columns is None else list(columns)
    return _read(root, shard, lambda file: file.read(columns, use_threads=False))  # shards are read in parallel already


def read_slice(root: str, shard: Shard, start: int, rows: int) -> pa.Table:
    """This many rows of a shard from row `start` on; only the row groups that hold them are read."""

    def read(file: pq.ParquetFile) -> pa.Table:
        sizes = _group_sizes(file)
        begins = [sum(sizes[:i]) for i in range(len(sizes))]
        groups = [i for i, begin in enumerate(begins) if begin + sizes[i] > start and begin < start + rows]
        first = begins[groups[0]] if groups else 0
        return file.read_row_groups(groups, use_threads=False).slice(start - first, rows)

    return _read(root, shard, read)


def read_range(root: str, shard: Shard, column: str, low: int, high: int) -> pa.Table:
    """The rows of a shard whose value in a column is at least `low` and less than `high`.

    Row groups whose statistics show that they hold none are not read.
    """

    def read(file: pq.ParquetFile) -> pa.Table:
        number = file.schema_arrow.get_field_index(column)
        groups = []
        for i in range(file.metadata.num_row_groups):
            values = file.metadata.row_group(i).column(number).statistics
            if values is None or not values.has_min_max or (values.min < high and values.max >= low):
                groups.append(i)
        rows = file.read_row_groups(groups, use_threads=False)
        return rows.filter(pc.and_(pc.greater_equal(rows[column], low), pc.less(rows[column], high)))

    return _read(root, shard, read)


def read_shards(root: str, shards: Iterable[Shard], columns: Iterable[str] | None = None) -> Iterator[pa.Table]:
    """The rows of each shard, in order; the next shards are read on other threads meanwhile.

    For stages that make a single shard from many: no other shard needs the cores.
    """
    columns = None if columns is None else list(columns)
    return prefetch(lambda shard: read_shard(root, shard, columns), shards, threads=READ_THREADS, per_thread=1)


def column_bytes(table: Table, column: str) -> int:
    """About the bytes of a column's values, uncompressed, as the files state them at their ends; no value is read."""
    total = 0
    for shard in table.shards:
        try:
            files, base = storage.open_root(table.root)
            with files.open_input_file(f"{base}/{shard.path}") as stream:
                metadata = pq.read_metadata(stream)
            groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
            leaves = [group.column(i) for group in groups for i in range(group.num_columns)]
            total += sum(leaf.total_uncompressed_size for leaf in leaves if leaf.path_in_schema == column)
        except (OSError, ValueError, pa.ArrowException):
            total += read_shard(table.root, shard, [column]).nbytes  # says what is wrong, if it is not over
    return total


def _read(root: str, shard: Shard, read: Callable[[pq.ParquetFile], pa.Table]) -> pa.Table:
    """What `read` takes from the shard's file, which is checked the first time.

    From a disk the file is read in pieces, twice at first, which needs half the memory and no more time. An object
    store gives it in one piece.
    """
    checked, local = (root, shard.path, shard.digest), storage.is_local(root)
    if checked not in _checked:
        if not local:
            data = read_checked(*checked)
            _checked.add(checked)
            return read(pq.ParquetFile(pa.BufferReader(data)))
        check_file(*checked)
        _checked.add(checked)

    def read_from_file() -> pa.Table:
        files, base = storage.open_root(root)
        with files.open_input_file(f"{base}/{shard.path}") as stream:
            return read(pq.ParquetFile(stream, buffer_size=PIECE_BYTES if local else 0))

    try:
        return storage.with_retries(root, read_from_file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"cannot read {root}/{shard.path} ({error}): check the disk, and run again") from None


def _group_sizes(file: pq.ParquetFile) -> list[int]:
    """The number of rows of each row group."""
    return [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]


def load(root: str, name: str, address: str, *, digest: str = "") -> Table | None:
    """The table at an address; None: there is no such table yet.

    digest: see Table.digest; "" where it is not known. Raises UserError for a manifest that a newer version wrote, and
    DamagedFile for one that is damaged.
    """
    file = f"{name}/{address}.json"
    data = storage.get(root, file)
    if data is None:
        return None
    try:
        manifest = json.loads(data)
        check_format(root, manifest.get("versions", {}).get("format", FORMAT))
        shards, rows = [Shard(s["path"], s["digest"], s["rows"]) for s in manifest["shards"]], manifest["rows"]
        valid = rows == sum(s.rows for s in shards) and all(_inside_root(s.path) for s in shards)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        valid = False
    if not valid:
        raise DamagedFile(f"{root}/{file} is not the manifest of a table: {AGAIN}")
    table = Table(root, name, address, manifest)
    if digest and table.digest != digest:
        raise DamagedFile(f"{root}/{file} is not the manifest that was written: {AGAIN}")
    return table


def _inside_root(path: str) -> bool:
    """Whether a path relative to the root stays inside the root."""
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def check_format(root: str, format: int) -> None:
    """Raise UserError when a newer version wrote the root, in a format that this version cannot read."""
    if format > FORMAT:
        formats = f"format {format}, this one reads {FORMAT}"
        raise UserError(f"{root} was written by a newer version of refinery ({formats}): update, or give another root")
