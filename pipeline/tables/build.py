"""build() writes a table; nothing else does.

A shard's file name is a digest of how it is made (table, version, schema, parameters) and of what it is made from (its
part). So a run makes only the shards whose files are missing, even if an earlier run was killed. The manifest is
written last; with it the table is complete.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pyarrow as pa

from pipeline.progress import stage_progress
from pipeline.tables import storage
from pipeline.tables.digests import DamagedFile
from pipeline.tables.existing_shards import existing_shards, remove_marks
from pipeline.tables.naming import TableNames, plain_value, shards_in, table_names
from pipeline.tables.run_threads import run_on_threads
from pipeline.tables.shard_job import ShardError, ShardJob, Workers
from pipeline.tables.table import FORMAT, Shard, Table, load

__all__ = ["ShardError", "Workers", "build", "recorded_tables"]
log = logging.getLogger("refinery")
_recorded: ContextVar[list[Table] | None] = ContextVar("recorded_tables", default=None)


@contextmanager
def recorded_tables() -> Iterator[list[Table]]:
    """A list to which every table is added that is built or found while this block runs."""
    tables: list[Table] = []
    token = _recorded.set(tables)
    try:
        yield tables
    finally:
        _recorded.reset(token)


def build(
    root: str,
    name: str,
    shard_function: Callable[..., pa.Table],
    parts: Sequence[Any],
    *,
    schema: pa.Schema,
    version: int = 1,
    params: Mapping[str, Any] | None = None,
    unhashed: Mapping[str, Any] | None = None,
    reuse: Sequence[Sequence[Any]] = (),
    resource: str = "",
    workers: Workers = None,
) -> Table:
    """The table whose shard i is shard_function(parts[i], **params, **unhashed); existing shards are not made again.

    The table's address is a digest of name, version, schema, params and parts. unhashed: arguments that are not in the
    digest because they change no byte of the table, such as a path whose content a part names by digest. reuse: for
    each part the similar parts of earlier runs; those whose shards exist are given to shard_function as
    reuse=((part, shard), ...), so that it can copy rows. resource: a Dask resource ("GPU") to run on where workers
    offer it. workers: see Workers.

    Raises UserError for a user's mistake and ShardError for any other failure of a shard; the message names the shard
    and its part. Finished shards stay, and the next run continues from them.
    """
    params = params or {}
    names = table_names(name, parts, version=version, schema=schema, params=params)
    content = {
        "table": name,
        "version": version,
        "schema": {field.name: str(field.type) for field in schema},
        "params": plain_value(params),
    }
    if (table := _complete_table(root, names, content)) is not None:  # a table without rows is false
        log.info("%s: found, %d rows", name, len(table))
        return _record(table)
    shards = existing_shards(root, name, set(names.paths))
    arguments = {**params, **(unhashed or {})}
    missing = list({path: i for i, path in enumerate(names.paths) if path not in shards}.values())  # equal parts once
    earlier = _earlier_shards(root, names, {i: reuse[i] for i in missing} if reuse else {})
    jobs = [
        ShardJob(
            root, name, i, names.paths[i], shard_function, parts[i], arguments | earlier.get(i, {}), schema, resource
        )
        for i in missing
    ]
    shards |= _make_shards(jobs, name, len(parts), workers)
    remove_marks(root, names)
    inputs = sorted({s.path.rsplit("/", 1)[0] for s in shards_in([parts, params])})
    return _record(_write_manifest(root, names, content | {"inputs": inputs}, [shards[path] for path in names.paths]))


def _record(table: Table) -> Table:
    if (tables := _recorded.get()) is not None:
        tables.append(table)
    return table


def _complete_table(root: str, names: TableNames, content: Mapping[str, Any]) -> Table | None:
    """The table of these names; None where it does not exist yet, or where its manifest or a shard is not whole.

    content: what its manifest says of how the table is made.
    """
    try:
        table = load(root, names.table, names.address)
    except DamagedFile as error:
        log.warning("%s: the manifest is made again (%s)", names.table, error)
        return None
    if table is None:
        return None
    if storage.json_bytes({key: table.manifest.get(key) for key in content}) != storage.json_bytes(dict(content)):
        log.warning("%s: the manifest %s is not what was written, and is made again", names.table, names.address)
        return None
    missing = set(names.paths).difference(storage.list_files(root, names.table))
    if missing:
        log.warning("%s: %d shards are missing and are made again", names.table, len(missing))
    return table if not missing and tuple(s.path for s in table.shards) == names.paths else None


def _earlier_shards(root: str, names: TableNames, similar: Mapping[int, Sequence[Any]]) -> dict[int, dict[str, Any]]:
    """By index of each missing shard its argument `reuse`: the similar parts whose shards exist, and these shards."""
    part_of_path = {i: {names.path(part): part for part in parts} for i, parts in similar.items()}
    existing = existing_shards(root, names.table, set().union(*part_of_path.values()))
    return {
        i: {"reuse": tuple((part, existing[path]) for path, part in candidates.items() if path in existing)}
        for i, candidates in part_of_path.items()
    }


def _make_shards(jobs: list[ShardJob], name: str, total: int, workers: Workers) -> dict[str, Shard]:
    """Run all jobs with a progress bar; returns their shards by path. total: all shards of the table."""
    if not jobs:
        return {}
    shards: dict[str, Shard] = {}
    with stage_progress(name, total=total, existing=total - len(jobs)) as advance:

        def on_shard(shard: Shard) -> None:
            shards[shard.path] = shard
            advance(shard.rows)

        if workers is None:
            run_on_threads(jobs, on_shard)
        else:
            from pipeline.tables.run_dask import run_on_dask  # only here: Dask takes a second to import

            run_on_dask(jobs, on_shard, workers)
    return shards


def _write_manifest(root: str, names: TableNames, manifest: dict[str, Any], shards: Sequence[Shard]) -> Table:
    """Write the manifest and return the table, which exists from then on."""
    manifest |= {
        "rows": sum(s.rows for s in shards),
        "shards": [s._asdict() for s in shards],
        "versions": {"pyarrow": pa.__version__, "format": FORMAT},
    }
    storage.put_json(root, f"{names.table}/{names.address}.json", manifest)
    return Table(root, names.table, names.address, manifest)
