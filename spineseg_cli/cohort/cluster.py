"""Workers on other machines: those of a running dask scheduler, or workers that a queue (SLURM, SGE, PBS) starts.

dask is imported only in functions of this module and of `cohort.queues`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress

from spineseg_cli.cohort.memory import needed_bytes
from spineseg_cli.cohort.participant import Plan
from spineseg_cli.cohort.queues import check_queue, make_cluster
from spineseg_cli.cohort.session import Job, SessionResult, run_session, why_failed
from spineseg_cli.core.inference.litert import THREADS_VARIABLE
from spineseg_cli.errors import SpinesegError

# Settings of schedulers that are started here. A session is given up when its worker has died twice. A worker gets its next
# session only when it has finished the last, so that no waiting session counts as failed when a worker dies.
SCHEDULER = {"distributed.scheduler.allowed-failures": 1, "distributed.scheduler.worker-saturation": 1.0}

# Time limit for the connection to a scheduler.
CONNECT_S = 20

_one_at_a_time = threading.Lock()


class ClusterPool:
    """A pool of workers of a dask scheduler that process sessions. Use it in a `with` block.

    Raises SpinesegError if dask is not installed, the queue takes no jobs from this machine, or the scheduler does not answer.

    The largest scan of `plan` determines the memory that is requested from a queue, "slurm", "sge" or "pbs", for each of its
    `jobs` workers. A scheduler that runs at `address` has its own workers.
    """

    def __init__(self, plan: Plan, *, jobs: int, address: str | None = None, queue: str | None = None, device: str = "auto"):
        try:
            import dask
            import distributed
        except ImportError:
            raise SpinesegError("clusters need dask: pip install 'spineseg[cluster]'") from None
        if queue:
            check_queue(queue)
        dask.config.set(SCHEDULER)
        self.device, self._cluster = device, None
        if queue:
            self._cluster = make_cluster(queue, needed_bytes(scan for job in plan.jobs for scan in job.scans))
            count = min(jobs, len(plan.jobs))
            self._cluster.adapt(minimum_jobs=count, maximum_jobs=count)  # replaces workers that reach their walltime
        try:
            self._client = distributed.Client(self._cluster or address, timeout=CONNECT_S)
            self._address = self._client.scheduler_info()["address"]
        except (OSError, TimeoutError, ValueError) as error:
            raise SpinesegError(f"no dask scheduler answers at {address}: {error}") from error

    def __enter__(self) -> ClusterPool:
        return self

    def run(self, jobs: Sequence[Job]) -> Iterator[SessionResult]:
        """Yield the result of each job when it is finished.

        Raises SpinesegError if no further session can be processed: the disk is full, or the scheduler is gone.
        """
        from distributed import as_completed

        futures = {self._client.submit(work_through, job, self.device, pure=False): job for job in jobs}
        try:
            for future in as_completed(list(futures)):
                if future.status == "cancelled":
                    raise SpinesegError(
                        f"the connection to the dask scheduler at {self._address} is lost; start it again, and then run this "
                        "command again: it goes on from here"
                    )
                error = future.exception()
                result = SessionResult(futures[future].session, error=_why(error)) if error else future.result()
                yield result
                if result.fatal:
                    raise SpinesegError(result.fatal)
        finally:
            with suppress(OSError, TimeoutError, CancelledError):  # if the scheduler is gone
                self._client.cancel(list(futures))

    def __exit__(self, *_) -> None:
        """Disconnect from the scheduler, and end the workers that a queue has started for this run."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def work_through(job: Job, device: str) -> SessionResult:
    """Process a session on a worker, which keeps its networks loaded; a worker with several threads processes one at a time."""
    from distributed import get_worker

    os.environ.setdefault(THREADS_VARIABLE, "1")
    from spineseg_cli.cohort.network_cache import NetworkCache

    with _one_at_a_time:
        kept = vars(get_worker()).setdefault("spineseg_networks", {})
        if device not in kept:
            kept[device] = NetworkCache(device)
        return run_session(job, kept[device])


def _why(error: BaseException) -> str:
    if type(error).__name__ == "KilledWorker":
        return "its workers were killed, which happens to what needs more memory than there is"
    return why_failed(error)
