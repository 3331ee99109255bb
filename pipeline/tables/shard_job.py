"""A job: one shard to be made, with all that a thread, a process or another machine needs to make it.

A job gives the same bytes wherever it runs, and its file appears whole or not at all. So two workers may do the same
job.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.errors import Unavailable, UserError
from pipeline.tables import storage, worker_process
from pipeline.tables.digests import content_digest
from pipeline.tables.existing_shards import mark_digest
from pipeline.tables.naming import part_summary
from pipeline.tables.parquet import to_parquet
from pipeline.tables.table import Shard

log = logging.getLogger("refinery")
# what makes the shards. None: threads of this process; a number: as many processes; tcp://host:port: a Dask cluster
Workers = int | str | None


class ShardError(RuntimeError):
    """A shard could not be made; the message names the shard, its table and its part."""


@dataclass(frozen=True)
class ShardJob:
    """The function that makes a shard, its part and arguments, and the path at which the shard is stored."""

    root: str
    table: str
    index: int
    path: str
    function: Callable[..., pa.Table]
    part: Any
    arguments: Mapping[str, Any]
    schema: pa.Schema
    resource: str  # the Dask resource to prefer, such as "GPU"; "": none

    def description(self) -> str:
        """The shard for an error message: its number, its table, its part."""
        return f"shard {self.index} of table {self.table} (from {part_summary(self.part)})"


def make_shard(job: ShardJob) -> Shard | UserError | ShardError:
    """Make and store the shard. An error is returned, not raised, because Dask would log a raised one again."""
    worker_process.begin_table(job.table)
    try:
        table = job.function(job.part, **job.arguments).select(job.schema.names).cast(job.schema)
        data = to_parquet(table)
        digest = content_digest(data)
        storage.put(job.root, job.path, data)
        mark_digest(job.root, job.path, digest)
    except UserError as error:
        return error
    except Exception as error:  # noqa: BLE001  (whatever it is, the message must name the shard)
        log.debug("%s\n%s", job.description(), "".join(traceback.format_exception(error)))
        message = f"{job.description()} failed: {type(error).__name__}: {error}"
        unavailable = isinstance(error, OSError) and storage.is_transient(error)
        return Unavailable(f"{message}: run again later") if unavailable else ShardError(message)
    return Shard(job.path, digest, table.num_rows)
