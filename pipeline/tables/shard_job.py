"""One shard to be made: everything that a thread, a process or a machine elsewhere needs for it.

A job gives the same bytes wherever it runs, and its file appears whole, so it does no harm when two workers make it.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.tables import storage, worker_process
from pipeline.tables.naming import brief, content_digest
from pipeline.tables.parquet import to_parquet
from pipeline.tables.table import Shard

log = logging.getLogger("refinery")
Workers = int | str | None  # None: threads of this process; a number: processes; tcp://host:port: a Dask cluster


class ShardError(RuntimeError):
    """A shard could not be made; the message names the shard, its table and its part."""


@dataclass(frozen=True)
class ShardJob:
    """A function with its part and arguments, and where the shard that it returns is to be stored."""

    root: str
    table: str
    index: int
    path: str
    function: Callable[..., pa.Table]
    part: Any
    arguments: Mapping[str, Any]
    schema: pa.Schema
    resource: str  # a Dask resource, GPU, that it is better made with; "" for none

    def description(self) -> str:
        """The shard in an error message: its number, its table, its part."""
        return f"shard {self.index} of table {self.table} (from {brief(self.part)})"


def make_shard(job: ShardJob) -> Shard | UserError | ShardError:
    """The shard, made and stored, or what went wrong as a value: were it raised, Dask would log it a second time."""
    worker_process.begin_table(job.table)
    try:
        table = job.function(job.part, **job.arguments).select(job.schema.names).cast(job.schema)
        data = to_parquet(table)
        storage.put(job.root, job.path, data)
    except UserError as error:
        return error
    except Exception as error:  # noqa: BLE001  (whatever it is, the message must name the shard)
        log.debug("%s\n%s", job.description(), "".join(traceback.format_exception(error)))
        return ShardError(f"{job.description()} failed: {type(error).__name__}: {error}")
    return Shard(job.path, content_digest(data), table.num_rows)
