"""build(): the one way a table is written, and the only file that meets Dask.

One idea: a shard is named by how it is made (stage, version, schema, parameters) and from what (its part), so a run
that finds the file has nothing to do, whoever made it and however that earlier run ended. The manifest comes last.
"""

import io
import json
import logging
import os
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import blake2b
from multiprocessing.util import Finalize
from queue import Empty, Queue
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from dask import compute, config, delayed
from dask.callbacks import Callback
from distributed import Client, Future, KilledWorker, LocalCluster
from threadpoolctl import threadpool_limits

from pipeline import progress
from pipeline.errors import UserError
from pipeline.schema import digest
from pipeline.tables import ctrl_c, storage, worker_process
from pipeline.tables.table import FORMAT, Shard, Table, load

log = logging.getLogger("refinery")
Workers = int | str | None  # None: threads of this process; a number: processes; tcp://host:port: a cluster


STUCK_S = 300.0  # without any shard from a cluster before those that are missing are begun again; doubled every time
SILENCE = {"DASK_LOGGING__DISTRIBUTED": "error"}  # workers that load a module of flows get handlers from Prefect
ANSWER_S = 30.0  # for a worker to hand over a result, which is small


class ShardError(RuntimeError):
    """A shard could not be made; the message names the shard, its table and its part."""


@dataclass(frozen=True)
class _Job:
    root: str
    table: str
    index: int
    path: str
    make: Callable[..., pa.Table]
    part: Any
    arguments: Mapping[str, Any]
    schema: pa.Schema
    wants: str


def build(
    root: str,
    name: str,
    shard: Callable[..., pa.Table],
    parts: Sequence[Any],
    *,
    schema: pa.Schema,
    version: int = 1,
    workers: Workers = None,
    carry: Mapping[str, Any] | None = None,
    wants: str = "",
    before: Sequence[Sequence[Any]] = (),
    **params: Any,
) -> Table:
    """The table whose shard i holds shard(parts[i], **params), made now or found.

    parts and params name the table; what is in `carry` is passed on to `shard` as well but names nothing (a path, say,
    to what a part already names by digest). wants: a Dask resource, GPU, on whose workers it is made where there are
    such. before: for each part those of former runs that resemble it: which of them were made into shards just so,
    `shard` is told as before=((part, its shard), ...), and may take rows over from there.

    Raises UserError for a user's mistake and ShardError for a fault, both naming shard and part; shards that were
    finished stay, and the next run goes on from there.
    """
    making = digest(name, str(version), schema.to_string(), _canonical(params))
    keys = [digest(making, _canonical(part)) for part in parts]
    address = digest(making, *keys)

    def path_of(key: str) -> str:
        return f"{name}/{making}/{key}.parquet"

    if found := load(root, name, address):
        log.info("%s: found, %d rows", name, len(found))
        return found
    arguments = {**params, **(carry or {})}
    paths = [path_of(key) for key in keys]
    done = _known(root, name, set(paths))
    jobs = {
        path: _Job(root, name, i, path, shard, part, arguments, schema, wants)
        for i, (path, part) in enumerate(zip(paths, parts, strict=True))
        if path not in done
    }
    if before:
        resembling = {
            path: {path_of(digest(making, _canonical(p))): p for p in before[jobs[path].index]} for path in jobs
        }
        there = _known(root, name, {made for each in resembling.values() for made in each})
        for path, each in resembling.items():
            told = tuple((p, there[made]) for made, p in each.items() if made in there)
            jobs[path] = replace(jobs[path], arguments={**arguments, "before": told})
    done |= _run(list(jobs.values()), name, len(paths), workers)
    return _finish(root, name, address, [done[p] for p in paths], params, parts, schema, version)


def _finish(
    root: str, name: str, address: str, shards: list[Shard], params: Any, parts: Any, schema: pa.Schema, version: int
) -> Table:
    manifest = {
        "table": name,
        "version": version,
        "schema": {field.name: str(field.type) for field in schema},
        "params": _named(params),
        "inputs": sorted({s.path.rsplit("/", 1)[0] for s in _shards_in([parts, params])}),
        "rows": sum(s.rows for s in shards),
        "shards": [s._asdict() for s in shards],
        "versions": {"pyarrow": pa.__version__, "format": FORMAT},
    }
    storage.put_json(root, f"{name}/{address}.json", manifest)
    return Table(root, name, address, manifest)


def _known(root: str, name: str, wanted: set[str]) -> dict[str, Shard]:
    """Wanted shards that are there already: those an earlier manifest lists, and those a stopped run left."""
    there = wanted.intersection(storage.names(root, name))
    known: dict[str, Shard] = {}
    if not there:
        return known
    for manifest in (n for n in storage.names(root, name) if n.endswith(".json")):
        for entry in (storage.get_json(root, manifest) or {}).get("shards", []):
            if entry["path"] in there:
                known[entry["path"]] = Shard(entry["path"], entry["digest"], entry["rows"])
    for path in there - known.keys():
        data = storage.get(root, path) or b""
        try:
            known[path] = Shard(path, _digest_bytes(data), pq.ParquetFile(io.BytesIO(data)).metadata.num_rows)
        except pa.ArrowInvalid:
            log.warning("%s: %s is damaged and is made anew", name, path)
    return known


def _make(job: _Job) -> Shard | UserError | ShardError:
    """The shard, or what went wrong as a value: raised here, Dask would log it a second time."""
    where = f"shard {job.index} of table {job.table} (from {_brief(job.part)})"
    worker_process.turn_to(job.table)
    try:
        table = job.make(job.part, **job.arguments).select(job.schema.names).cast(job.schema)
        data = to_parquet(table)
        storage.put(job.root, job.path, data)
    except UserError as error:
        return error
    except Exception as error:  # noqa: BLE001  (whatever it is, the shard is named)
        trace = "".join(traceback.format_exception(error))
        log.debug("%s\n%s", where, trace)
        return ShardError(f"{where} failed: {type(error).__name__}: {error}")
    return Shard(job.path, _digest_bytes(data), table.num_rows)


def _make_in_worker(job: _Job) -> Shard | UserError | ShardError:
    _one_thread()
    return _make(job)


@cache
def _one_thread() -> None:
    """Have BLAS compute on one thread in this process from now on: see _on_threads()."""
    threadpool_limits(1, "blas")


def to_parquet(table: pa.Table) -> memoryview:
    """A table as the bytes of a Parquet file: pictures as they are, everything else in zstd."""
    sink = pa.BufferOutputStream()
    leaves = {f.name: f"{f.name}.list.element" if pa.types.is_nested(f.type) else f.name for f in table.schema}
    pq.write_table(
        table,
        sink,
        row_group_size=1024 if "jpeg" in table.schema.names else 65536,  # a trainer reads faces a group at a time
        compression={leaf: "none" if name == "jpeg" else "zstd" for name, leaf in leaves.items()},
        use_dictionary=[f.name for f in table.schema if pa.types.is_string(f.type)],
    )
    return memoryview(sink.getvalue())


def _run(jobs: list[_Job], name: str, of: int, workers: Workers) -> dict[str, Shard]:
    if not jobs:
        return {}
    made: dict[str, Shard] = {}
    started = time.monotonic()
    with progress.bar(name, done=of - len(jobs), of=of) as tick:

        def done(shard: Shard) -> None:
            made[shard.path] = shard
            tick(shard.rows)

        (_on_threads if workers is None else _on_cluster)(jobs, done, workers)
    rows, seconds = sum(s.rows for s in made.values()), time.monotonic() - started
    log.info(
        "%s: %d of %d shards made, %d rows, %.1f s, %.0f rows/s",
        name,
        len(made),
        of,
        rows,
        seconds,
        rows / max(seconds, 1e-9),
    )
    return made


def _on_threads(jobs: list[_Job], done: Callable[[Shard], None], _: Workers) -> None:
    """Run jobs on threads of this process: the models release the interpreter's lock, and no port is opened."""

    def finished(_key: Any, result: Shard | Exception, *_rest: Any) -> None:
        if isinstance(result, Exception):
            raise result
        done(result)

    tasks = [delayed(partial(_make, job), pure=False)() for job in jobs]
    # Dask's own pool would leave shards running when one fails; this one ends them before the error is told. And BLAS
    # on one thread, as in a worker process: on several it adds in another order, and each shard has a thread already.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count() or 1) as pool, Callback(posttask=finished):
        compute(*tasks, scheduler="threads", pool=pool)


def _on_cluster(jobs: list[_Job], done: Callable[[Shard], None], workers: Workers) -> None:
    """Run jobs on a Dask cluster whose workers may die, hang or come back: a shard that does not come is begun again.

    A shard is the same whoever makes it and appears whole, so it does no harm that two make it; the first one counts.
    """
    client = connect(workers)
    ended: Queue[Future] = Queue()
    begun: dict[str, tuple[_Job, Future]] = {}
    waiting = {job.path: job for job in jobs}

    def begin(these: list[_Job]) -> None:
        keys = [f"{job.table}-{job.index}-{uuid.uuid4().hex[:8]}" for job in these]
        placed = _placed(client, these[0].wants)
        futures = client.map(_make_in_worker, these, key=keys, retries=0, batch_size=1000, resources=placed)
        for job, future in zip(these, futures, strict=True):
            begun[future.key] = job, future
            future.add_done_callback(ended.put)

    begin(sorted(jobs, key=_rows, reverse=True))  # the largest first: the last ones to end are small
    patience = STUCK_S if isinstance(workers, str) else None  # here, the other processes share what one waits for
    try:
        while waiting:
            try:
                future = ended.get(timeout=patience)
            except Empty:
                assert patience is not None  # noqa: S101  it ran out
                there = len(client.scheduler_info()["workers"])
                log.warning(
                    "%s: nothing came for %.0f s from %d workers; %d shards are begun again",
                    jobs[0].table,
                    patience,
                    there,
                    len(waiting),
                )
                begin(list(waiting.values()))
                patience *= 2
                continue
            job, _ = begun.pop(future.key)
            if job.path in waiting:
                shard = _outcome(future, job, client)
                if shard is None:
                    begin([job])
                else:
                    del waiting[job.path]
                    done(shard)
    finally:
        left = [future for _, future in begun.values()]
        if left:
            client.cancel(left, force=True)
            with suppress(Empty):  # Dask tells of each, and complains of those it cannot tell of as the client goes
                for _ in left:
                    ended.get(timeout=1.0)


def _rows(job: _Job) -> int:
    return max((shard.rows for shard in _shards_in(job.part)), default=0)


def _outcome(future: Future, job: _Job, client: Client) -> Shard | None:
    """The shard, or None when it is lost with its worker; what was wrong is raised."""
    try:
        result = future.result(timeout=ANSWER_S)
    except KilledWorker:
        where = f"shard {job.index} of table {job.table} (from {_brief(job.part)})"
        raise ShardError(
            f"{where}: one worker after the other died while making it: give them more memory, or make more --shards"
        ) from None
    except (CancelledError, TimeoutError, OSError):
        if client.status != "running":
            raise UserError(
                f"the Dask scheduler at {client.scheduler.address} went away: start one and run again; "
                "what is finished stays"
            ) from None
        return None
    if isinstance(result, Exception):
        raise result
    return result  # type: ignore[no-any-return]


def _placed(client: Client, wanted: str) -> dict[str, Any] | None:
    """The resource that jobs ask for, a GPU, where any worker offers it."""
    workers = client.scheduler_info()["workers"].values() if wanted else ()
    return {wanted: 1} if any(w.get("resources", {}).get(wanted) for w in workers) else None


@cache
def connect(workers: Workers) -> Client:
    """One Dask client for the life of this process: worker processes on loopback, or a cluster elsewhere."""
    logging.getLogger("distributed").setLevel(logging.ERROR)  # its comings and goings are not the user's
    if not isinstance(workers, int):
        try:
            return Client(workers, timeout="10s")
        except (OSError, ValueError) as error:
            raise UserError(f"no Dask scheduler answers at {workers} ({error}): start one, or give a number") from None
    addresses = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
    config.set(
        {f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in (worker_process.ENVIRONMENT | SILENCE).items()}
    )
    config.set({"distributed.worker.preload": [ctrl_c.__name__]})
    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, silence_logs=logging.ERROR, **addresses)
    client = Client(cluster)
    # before multiprocessing ends its processes, where this one is such a process itself: nannies would raise them again
    Finalize(None, _leave, (client, cluster), exitpriority=10)
    return client


def _leave(client: Client, cluster: LocalCluster) -> None:
    """End the worker processes as this one ends; an impatient Ctrl-C would only leave them behind."""
    ctrl_c.ignore()
    client.close(timeout=2)
    cluster.close(timeout=5)


def _named(value: Any) -> Any:
    """What of a value enters a name: plain values as they are, a shard by its digest, a model by its `named_by`."""
    if isinstance(value, Shard):
        return value.digest
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Mapping):
        return {str(k): _named(v) for k, v in value.items()}
    if isinstance(value, Iterable):
        return [_named(v) for v in value]
    if hasattr(value, "named_by"):
        return _named(value.named_by)
    raise TypeError(f"{type(value).__name__} cannot name a table: give plain values, or an object with named_by")


def _canonical(value: Any) -> str:
    return json.dumps(_named(value), sort_keys=True, ensure_ascii=True)


def _shards_in(value: Any) -> Iterator[Shard]:
    if isinstance(value, Shard):
        yield value
    elif isinstance(value, Mapping):
        yield from _shards_in(value.values())
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for item in value:
            yield from _shards_in(item)


def _digest_bytes(data: bytes | memoryview) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _brief(part: Any) -> str:
    text = ", ".join(s.path for s in _shards_in(part)) or repr(part)
    return text if len(text) < 200 else text[:197] + "..."
