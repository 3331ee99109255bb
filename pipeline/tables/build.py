"""build(): the one way a table is written.

One idea: a shard is named by how it is made (table, version, schema, parameters) and from what (its part), so a run
that finds the file has nothing to do, whoever made it and however that earlier run ended. The manifest comes last.
"""

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.progress import stage_progress
from pipeline.tables import storage
from pipeline.tables.naming import TableNames, content_digest, plain_value, shards_in, table_names
from pipeline.tables.run_threads import run_on_threads
from pipeline.tables.shard_job import ShardError, ShardJob, Workers
from pipeline.tables.table import FORMAT, Shard, Table, load

__all__ = ["ShardError", "Workers", "build"]
log = logging.getLogger("refinery")


def build(
    root: str,
    name: str,
    shard: Callable[..., pa.Table],
    parts: Sequence[Any],
    *,
    schema: pa.Schema,
    version: int = 1,
    params: Mapping[str, Any] | None = None,
    unnamed: Mapping[str, Any] | None = None,
    reuse: Sequence[Sequence[Any]] = (),
    resource: str = "",
    workers: Workers = None,
) -> Table:
    """The table whose shard i holds shard(parts[i], **params, **unnamed): read where it exists, made where not.

    The table is named by parts and params; `unnamed` are arguments that change no byte of it, such as a path whose
    content a part names by digest. reuse: for each part the similar parts of earlier runs; `shard` is called with
    reuse=((part, its shard), ...) for those that exist, and may take rows over. resource: a Dask resource, GPU, which
    is preferred where workers offer it. workers: see Workers.

    Raises UserError for a user's mistake and ShardError for a fault, both naming shard and part; finished shards stay,
    and the next run goes on from there.
    """
    params = params or {}
    names = table_names(name, parts, version=version, schema=schema, params=params)
    if table := load(root, name, names.address):
        log.info("%s: found, %d rows", name, len(table))
        return table
    shards = _existing(root, name, set(names.paths))
    arguments = {**params, **(unnamed or {})}
    missing = list({path: i for i, path in enumerate(names.paths) if path not in shards}.values())  # equal parts once
    earlier = _earlier_shards(root, names, {i: reuse[i] for i in missing} if reuse else {})
    jobs = [
        ShardJob(root, name, i, names.paths[i], shard, parts[i], arguments | earlier.get(i, {}), schema, resource)
        for i in missing
    ]
    shards |= _make(jobs, name, len(parts), workers)
    manifest = {
        "table": name,
        "version": version,
        "schema": {field.name: str(field.type) for field in schema},
        "params": plain_value(params),
        "inputs": sorted({s.path.rsplit("/", 1)[0] for s in shards_in([parts, params])}),
    }
    return _publish(root, names, manifest, [shards[path] for path in names.paths])


def _earlier_shards(root: str, names: TableNames, similar: Mapping[int, Sequence[Any]]) -> dict[int, dict[str, Any]]:
    """For each missing shard the argument `reuse`: those of the similar parts that exist as shards of this recipe."""
    paths = {i: {names.path(part): part for part in parts} for i, parts in similar.items()}
    existing = _existing(root, names.table, {path for of_shard in paths.values() for path in of_shard})
    return {
        i: {"reuse": tuple((part, existing[path]) for path, part in of_shard.items() if path in existing)}
        for i, of_shard in paths.items()
    }


def _existing(root: str, name: str, paths: set[str]) -> dict[str, Shard]:
    """Those of the shards that exist, by path: listed in an earlier manifest, or left by a run that was stopped."""
    present = paths.intersection(storage.names(root, name))
    shards: dict[str, Shard] = {}
    if not present:
        return shards
    for manifest in (n for n in storage.names(root, name) if n.endswith(".json")):
        for entry in (storage.get_json(root, manifest) or {}).get("shards", []):
            if entry["path"] in present:
                shards[entry["path"]] = Shard(entry["path"], entry["digest"], entry["rows"])
    for path in present - shards.keys():
        data = storage.get(root, path) or b""
        try:
            shards[path] = Shard(path, content_digest(data), pq.ParquetFile(io.BytesIO(data)).metadata.num_rows)
        except pa.ArrowInvalid:
            log.warning("%s: %s is damaged and is made anew", name, path)
    return shards


def _make(jobs: list[ShardJob], name: str, total: int, workers: Workers) -> dict[str, Shard]:
    """The shards of all jobs by path, made with a progress bar; total: shards of the table, with those that existed."""
    if not jobs:
        return {}
    shards: dict[str, Shard] = {}
    with stage_progress(name, total=total, done=total - len(jobs)) as advance:

        def on_shard(shard: Shard) -> None:
            shards[shard.path] = shard
            advance(shard.rows)

        if workers is None:
            run_on_threads(jobs, on_shard)
        else:
            from pipeline.tables.run_dask import run_on_dask  # only here: Dask takes a second to import

            run_on_dask(jobs, on_shard, workers)
    return shards


def _publish(root: str, names: TableNames, manifest: dict[str, Any], shards: Sequence[Shard]) -> Table:
    """Write the manifest, after which the table exists."""
    manifest |= {
        "rows": sum(s.rows for s in shards),
        "shards": [s._asdict() for s in shards],
        "versions": {"pyarrow": pa.__version__, "format": FORMAT},
    }
    storage.put_json(root, f"{names.table}/{names.address}.json", manifest)
    return Table(root, names.table, names.address, manifest)
