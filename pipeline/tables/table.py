"""Table: a finished table, read. A table is a manifest that names shards; both are immutable.

    ROOT/<table>/<address>.json            the manifest: rows, shards with their digests, parameters, inputs, versions
    ROOT/<table>/<making>/<part>.parquet   a shard, named by how it is made and by what it is made from

A shard that two tables have in common is one file, so a data set that grows by one per cent costs one per cent.
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
from pipeline.tables.prefetch import IDLE, ahead

FORMAT = 1  # of manifests; a root that a newer version wrote says a larger one


class Shard(NamedTuple):
    """One file of a table: its path under the root, the digest of its bytes, its rows. Named by its digest alone."""

    path: str
    digest: str
    rows: int


@dataclass(frozen=True)
class Table:
    """A finished table: `name` says which, `address` what it was made of."""

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
        """The table shard by shard: never more than one in memory."""
        for shard in self.shards:
            yield read_shard(self.root, shard, columns)

    def read(self, columns: Iterable[str] | None = None) -> pa.Table:
        """The whole table in memory."""
        columns = None if columns is None else list(columns)
        return pa.concat_tables(self.batches(columns))


def read_shard(root: str, shard: Shard, columns: Iterable[str] | None = None) -> pa.Table:
    """The rows of one shard, the given columns or all.

    Raises UserError when the file is missing or no Parquet.
    """
    columns = None if columns is None else list(columns)
    try:
        return storage.patiently(root, lambda: _read(root, shard, columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"cannot read {root}/{shard.path} ({error}): remove it and run again to make it anew") from None


def read_shards(root: str, shards: Iterable[Shard], columns: Iterable[str] | None = None) -> Iterator[pa.Table]:
    """The rows of each shard, in order, as read_shard() gives them: for the one shard that is made of many.

    The next ones are read meanwhile, for nothing else is made beside it.
    """
    columns = None if columns is None else list(columns)
    return ahead(lambda shard: read_shard(root, shard, columns), shards, threads=IDLE, each=1)


def _read(root: str, shard: Shard, columns: list[str] | None) -> pa.Table:
    files, base = storage.open_root(root)
    with files.open_input_file(f"{base}/{shard.path}") as stream:
        return pq.ParquetFile(stream).read(columns, use_threads=False)  # shards are what runs in parallel


def load(root: str, name: str, address: str) -> Table | None:
    """The table at an address, or None where there is none yet.

    Raises UserError for one that a newer version wrote, or that is no manifest.
    """
    manifest = storage.get_json(root, f"{name}/{address}.json")
    if manifest is None:
        return None
    try:
        readable(root, manifest.get("versions", {}).get("format", FORMAT))
        shards, rows = [Shard(s["path"], s["digest"], s["rows"]) for s in manifest["shards"]], manifest["rows"]
        whole = rows == sum(s.rows for s in shards) and all(_below(s.path) for s in shards)
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UserError(f"{root}/{name}/{address}.json is no manifest of a table: remove it and run again")
    return Table(root, name, address, manifest)


def _below(path: str) -> bool:
    """Whether a path stays under the root it is told from."""
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def readable(root: str, written: int) -> None:
    """Raises UserError for what a newer version wrote: what it means cannot be known here."""
    if written > FORMAT:
        formats = f"format {written}, this one reads {FORMAT}"
        raise UserError(f"{root} was written by a newer version of refinery ({formats}): update, or give another root")
