"""Finished tables, and how they are read. A table is a manifest that lists shards; manifest and shards are immutable.

    ROOT/<table>/<address>.json            the manifest: rows, shards with their digests, parameters, inputs, versions
    ROOT/<table>/<build>/<part>.parquet    a shard; naming.py says how shards are named

Two tables share the files of equal shards. So when a data set grows, only the new shards take time and space.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.tables import storage
from pipeline.tables.prefetch import READ_THREADS, prefetch

FORMAT = 1  # of manifests and refinement.json; to be raised when a new version changes them


class Shard(NamedTuple):
    """One file of a table: its path under the root, the digest of its bytes, its number of rows.

    The names of tables that are made from this shard depend on its digest alone.
    """

    path: str
    digest: str
    rows: int


@dataclass(frozen=True)
class Table:
    """A finished table: its name is that of the stage, its address a digest of all that it was made from."""

    root: str
    name: str
    address: str
    manifest: dict[str, Any] = field(repr=False, compare=False, hash=False)

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
    """The rows of one shard.

    columns: names of columns; None: all. Raises UserError when the file is missing or is not Parquet.
    """
    columns = None if columns is None else list(columns)
    try:
        return storage.with_retries(root, lambda: _read(root, shard, columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        manifests = f"{root}/{shard.path.partition('/')[0]}/*.json"
        raise UserError(
            f"cannot read {root}/{shard.path} ({error}): remove it and {manifests}, and run again: "
            "other shards are found"
        ) from None


def read_shards(root: str, shards: Iterable[Shard], columns: Iterable[str] | None = None) -> Iterator[pa.Table]:
    """The rows of each shard, in order; the next shards are read on other threads meanwhile.

    For stages that make a single shard from many: no other shard needs the cores.
    """
    columns = None if columns is None else list(columns)
    return prefetch(lambda shard: read_shard(root, shard, columns), shards, threads=READ_THREADS, per_thread=1)


def _read(root: str, shard: Shard, columns: list[str] | None) -> pa.Table:
    files, base = storage.open_root(root)
    with files.open_input_file(f"{base}/{shard.path}") as stream:
        return pq.ParquetFile(stream).read(columns, use_threads=False)  # shards are read in parallel already


def load(root: str, name: str, address: str) -> Table | None:
    """The table at an address; None: there is no such table yet.

    Raises UserError for a manifest that a newer version wrote or that is damaged.
    """
    manifest = storage.get_json(root, f"{name}/{address}.json")
    if manifest is None:
        return None
    try:
        check_format(root, manifest.get("versions", {}).get("format", FORMAT))
        shards, rows = [Shard(s["path"], s["digest"], s["rows"]) for s in manifest["shards"]], manifest["rows"]
        valid = rows == sum(s.rows for s in shards) and all(_inside_root(s.path) for s in shards)
    except (KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise UserError(f"{root}/{name}/{address}.json is not the manifest of a table: remove it and run again")
    return Table(root, name, address, manifest)


def _inside_root(path: str) -> bool:
    """Whether a path relative to the root stays inside the root."""
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def check_format(root: str, format: int) -> None:
    """Raise UserError when a newer version wrote the root, in a format that this version cannot read."""
    if format > FORMAT:
        formats = f"format {format}, this one reads {FORMAT}"
        raise UserError(f"{root} was written by a newer version of refinery ({formats}): update, or give another root")
