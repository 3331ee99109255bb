"""Shards made on a Dask cluster, here or elsewhere; the only file that uses Dask.

Workers may die, hang or come back: a shard that does not arrive is started again, and whichever copy arrives first
counts, for both have the same bytes.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import cache
from multiprocessing.util import Finalize
from queue import Empty, Queue
from typing import Any

from dask import config
from distributed import Client, Future, KilledWorker, LocalCluster
from threadpoolctl import threadpool_limits

from pipeline.errors import UserError
from pipeline.tables import worker_process
from pipeline.tables.naming import shards_in
from pipeline.tables.shard_job import ShardError, ShardJob, Workers, make_shard
from pipeline.tables.table import Shard

log = logging.getLogger("refinery")
STUCK_S = 300.0  # without any shard from a cluster before the missing ones are started again; doubled every time
RESULT_S = 30.0  # for a worker to hand over a result, which is small
BATCH = 1000  # jobs sent to the scheduler in one message
QUIET = {"DASK_LOGGING__DISTRIBUTED": "error"}  # workers that load a module of flows get log handlers from Prefect


def run_on_dask(jobs: Sequence[ShardJob], on_shard: Callable[[Shard], None], workers: Workers) -> None:
    """Make all shards on worker processes; on_shard is called with each, in this thread, as it arrives.

    Raises the first error of a shard, and UserError when the scheduler is gone.
    """
    client = connect(workers)
    submitted = _Submitted(client)
    missing = {job.path: job for job in jobs}
    submitted.add(sorted(jobs, key=_input_rows, reverse=True))  # the largest first: the last ones to end are small
    # worker processes of this machine share its memory and cores with what they wait for: they are never given up
    patience_s = STUCK_S if isinstance(workers, str) else None
    try:
        while missing:
            try:
                job, future = submitted.next_ended(patience_s)
            except Empty:
                patience_s = _start_again(submitted, list(missing.values()), patience_s or STUCK_S)
                continue
            if job.path not in missing:
                continue
            shard = _result(future, job, client)
            if shard is None:
                submitted.add([job])
            else:
                del missing[job.path]
                on_shard(shard)
    finally:
        submitted.cancel()


class _Submitted:
    """The jobs that are with the cluster, and a queue of those that ended, well or not."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.running: dict[str, tuple[ShardJob, Future]] = {}
        self.ended: Queue[Future] = Queue()

    def add(self, jobs: Sequence[ShardJob]) -> None:
        """Send jobs of one table to the cluster."""
        keys = [f"{job.table}-{job.index}-{uuid.uuid4().hex[:8]}" for job in jobs]
        offered = _offered(self.client, jobs[0].resource)
        futures = self.client.map(_make_in_worker, jobs, key=keys, retries=0, batch_size=BATCH, resources=offered)
        for job, future in zip(jobs, futures, strict=True):
            self.running[future.key] = job, future
            future.add_done_callback(self.ended.put)

    def next_ended(self, timeout_s: float | None) -> tuple[ShardJob, Future]:
        """The next job that ended. Raises Empty when none does in time."""
        return self.running.pop(self.ended.get(timeout=timeout_s).key)

    def cancel(self) -> None:
        """Take back what has not ended, and wait a moment for Dask's word on each: it complains of those it cannot
        report once the client has gone."""
        left = [future for _, future in self.running.values()]
        if left:
            self.client.cancel(left, force=True)
            with suppress(Empty):
                for _ in left:
                    self.ended.get(timeout=1.0)


def _start_again(submitted: _Submitted, jobs: list[ShardJob], waited_s: float) -> float:
    """Send the missing jobs once more; returns for how many seconds to wait for them."""
    log.warning(
        "%s: nothing came for %.0f s from %d workers; %d shards are begun again",
        jobs[0].table,
        waited_s,
        len(submitted.client.scheduler_info()["workers"]),
        len(jobs),
    )
    submitted.add(jobs)
    return 2 * waited_s


def _make_in_worker(job: ShardJob) -> Shard | UserError | ShardError:
    _limit_blas()
    return make_shard(job)


@cache
def _limit_blas() -> None:
    """Have BLAS compute on one thread in this process from now on: see run_on_threads()."""
    threadpool_limits(1, "blas")


def _input_rows(job: ShardJob) -> int:
    return max((shard.rows for shard in shards_in(job.part)), default=0)


def _result(future: Future, job: ShardJob, client: Client) -> Shard | None:
    """The shard, or None when it was lost with its worker. Raises what went wrong in making it."""
    try:
        result = future.result(timeout=RESULT_S)
    except KilledWorker:
        raise ShardError(
            f"{job.description()}: one worker after the other died while making it: give them more memory, or make "
            "more --shards"
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


def _offered(client: Client, resource: str) -> dict[str, Any] | None:
    """The resource that jobs ask for, a GPU, where any worker offers it; None where they run on any worker."""
    workers = client.scheduler_info()["workers"].values() if resource else ()
    return {resource: 1} if any(w.get("resources", {}).get(resource) for w in workers) else None


@cache
def connect(workers: Workers) -> Client:
    """One Dask client for the life of this process: worker processes on loopback, or a cluster elsewhere.

    Raises UserError when no scheduler answers at an address.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)  # workers that come and go are no news for the user
    if not isinstance(workers, int):
        try:
            return Client(workers, timeout="10s")
        except (OSError, ValueError) as error:
            raise UserError(f"no Dask scheduler answers at {workers} ({error}): start one, or give a number") from None
    addresses = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
    environment = worker_process.ENVIRONMENT | QUIET
    config.set({f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in environment.items()})
    config.set({"distributed.worker.preload": [worker_process.__name__]})
    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, silence_logs=logging.ERROR, **addresses)
    client = Client(cluster)
    # before multiprocessing ends its processes, where this one is such a process itself: nannies would restart them
    Finalize(None, _close, (client, cluster), exitpriority=10)
    return client


def _close(client: Client, cluster: LocalCluster) -> None:
    """End the worker processes as this one ends; a second Ctrl-C meanwhile would only leave them behind."""
    worker_process.ignore_ctrl_c()
    client.close(timeout=2)
    cluster.close(timeout=5)
