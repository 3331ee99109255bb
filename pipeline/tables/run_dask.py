"""Makes shards on a Dask cluster, on this machine or elsewhere; the only file that uses Dask.

A scheduler runs any code that is sent to it. The one on this machine takes connections with its certificate alone,
which is drawn anew by each process that starts one; those of a cluster (tls://) are set in Dask's configuration.
Workers may die, hang or come back. A shard that does not arrive is sent to the cluster again; of two copies the first
to arrive is used, because both have the same bytes.
"""

import atexit
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
from distributed import Client, Future, KilledWorker, LocalCluster, Security
from threadpoolctl import threadpool_limits

from pipeline.errors import UserError
from pipeline.tables import worker_process
from pipeline.tables.naming import shards_in
from pipeline.tables.shard_job import ShardError, ShardJob, Workers, make_shard
from pipeline.tables.table import Shard

log = logging.getLogger("refinery")
# time without any finished shard after which a remote cluster gets all missing shards again; doubled each time
STUCK_S = 300.0
RESULT_S = 30.0  # within which a worker must send a result, which is small
BATCH = 1000  # jobs in one message to the scheduler
# a worker that imports a module of flows gets Prefect's log handlers, which would print Dask's messages
QUIET = {"DASK_LOGGING__DISTRIBUTED": "error"}


def run_on_dask(jobs: Sequence[ShardJob], on_shard: Callable[[Shard], None], workers: Workers) -> None:
    """Make all shards on worker processes; on_shard is called in this thread with each shard that arrives.

    Raises the first error of a shard, and UserError when the scheduler no longer answers.
    """
    client = connect(workers)
    submitted = _SubmittedJobs(client)
    missing = {job.path: job for job in jobs}
    # large shards first, so that no large one ends long after all others
    submitted.add(sorted(jobs, key=_input_rows, reverse=True))
    # no time limit for workers on this machine: they share its cores, so starting a shard again would not be faster
    timeout_s = STUCK_S if isinstance(workers, str) else None
    try:
        while missing:
            try:
                job, future = submitted.next_ended(timeout_s)
            except Empty:
                timeout_s = _submit_again(submitted, list(missing.values()), timeout_s or STUCK_S)
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


class _SubmittedJobs:
    """The jobs that the cluster works on, and a queue of the jobs that ended, with a shard or with an error."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.running: dict[str, tuple[ShardJob, Future]] = {}
        self.ended: Queue[Future] = Queue()

    def add(self, jobs: Sequence[ShardJob]) -> None:
        """Send jobs of one table to the cluster."""
        keys = [f"{job.table}-{job.index}-{uuid.uuid4().hex[:8]}" for job in jobs]
        resources = _resources(self.client, jobs[0].resource)
        futures = self.client.map(_make_in_worker, jobs, key=keys, retries=0, batch_size=BATCH, resources=resources)
        for job, future in zip(jobs, futures, strict=True):
            self.running[future.key] = job, future
            future.add_done_callback(self.ended.put)

    def next_ended(self, timeout_s: float | None) -> tuple[ShardJob, Future]:
        """The next job that ended, and its future. Raises Empty when no job ends within the time."""
        return self.running.pop(self.ended.get(timeout=timeout_s).key)

    def cancel(self) -> None:
        """Cancel the jobs that have not ended.

        Then wait up to a second for each to be reported as ended: without that Dask logs errors when the client closes.
        """
        futures = [future for _, future in self.running.values()]
        if futures:
            self.client.cancel(futures, force=True)
            with suppress(Empty):
                for _ in futures:
                    self.ended.get(timeout=1.0)


def _submit_again(submitted: _SubmittedJobs, jobs: list[ShardJob], waited_s: float) -> float:
    """Send the missing jobs once more; returns the seconds to wait for the next one to end."""
    log.warning(
        "%s: no shard came for %.0f s from %d workers; %d shards are started again",
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
    """From now on BLAS computes on one thread in this process; run_on_threads() says why."""
    threadpool_limits(1, "blas")


def _input_rows(job: ShardJob) -> int:
    return max((shard.rows for shard in shards_in(job.part)), default=0)


def _result(future: Future, job: ShardJob, client: Client) -> Shard | None:
    """The shard, or None when it was lost with its worker. Raises the error that the job returned."""
    try:
        result = future.result(timeout=RESULT_S)
    except KilledWorker:
        raise ShardError(
            f"{job.description()}: several workers died while making it: give them more memory, or make more --shards"
        ) from None
    except (CancelledError, TimeoutError, OSError):
        if client.status != "running":
            raise UserError(
                f"the Dask scheduler at {client.scheduler.address} no longer answers: start one and run again; "
                "finished shards stay"
            ) from None
        return None
    if isinstance(result, Exception):
        raise result
    return result  # type: ignore[no-any-return]


def _resources(client: Client, resource: str) -> dict[str, Any] | None:
    """The resource to require of workers, where at least one offers it; else None, and jobs run on any worker."""
    workers = client.scheduler_info()["workers"].values() if resource else ()
    return {resource: 1} if any(w.get("resources", {}).get(resource) for w in workers) else None


@cache
def connect(workers: Workers) -> Client:
    """The Dask client of this process: of new worker processes on this machine, or of an existing cluster.

    Raises UserError when no scheduler answers at the address.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)  # users need not know of workers that come and go
    # Dask fails in a callback where Ctrl-C interrupts one of its calls, and tornado logs the traceback
    logging.getLogger("tornado.application").setLevel(logging.CRITICAL)
    if not isinstance(workers, int):
        try:
            return Client(workers, timeout="10s")
        except TypeError:  # by Dask, of a tls:// address
            raise UserError(
                f"--workers {workers}: Dask has no certificates for it: name them in Dask's configuration, or with "
                "DASK_DISTRIBUTED__COMM__TLS__CA_FILE and ...__TLS__CLIENT__CERT and ...__TLS__CLIENT__KEY"
            ) from None
        except (OSError, ValueError) as error:
            raise UserError(f"no Dask scheduler answers at {workers} ({error}): start one, or give a number") from None
    addresses = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
    environment = worker_process.ENVIRONMENT | QUIET
    config.set({f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in environment.items()})
    config.set({"distributed.worker.preload": [worker_process.__name__]})
    config.set({f"distributed.{of}.http.routes": [] for of in ("scheduler", "worker")})  # no pages for other users
    config.set({"distributed.worker.profile.enabled": False})  # a hundred samples a second, for these pages
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        silence_logs=logging.ERROR,
        security=Security.temporary(),
        **addresses,
    )
    client = Client(cluster)
    # before Dask's own function for the end, which a second Ctrl-C would interrupt
    atexit.register(_close, client, cluster)
    # where this process is a child of multiprocessing: workers must end before multiprocessing kills them, or Dask's
    # nannies would restart them
    Finalize(None, _close, (client, cluster), exitpriority=10)
    return client


def _close(client: Client, cluster: LocalCluster) -> None:
    """End the worker processes as this process ends. Ctrl-C is ignored meanwhile, as it would leave them running."""
    worker_process.ignore_ctrl_c()
    with suppress(TimeoutError):  # workers end with this process at the latest
        client.close(timeout=2)
        cluster.close(timeout=5)
