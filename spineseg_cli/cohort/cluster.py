"""Workers on other machines: those of a dask scheduler that runs already, or that a queue (SLURM, SGE, PBS) starts.

dask is imported here and in `cohort.queues` alone, when it is asked for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress

from spineseg_cli.cohort.memory import needed_bytes
from spineseg_cli.cohort.participant import Plan
from spineseg_cli.cohort.queues import make_cluster
from spineseg_cli.cohort.session import Job, SessionResult, run_session
from spineseg_cli.cohort.worker import THREADS_VARIABLE
from spineseg_cli.errors import SpinesegError

# A session whose worker has died more often than this is given up. Schedulers started here hand a worker no session before it
# has finished the last, so that none is blamed for the end of another.
SCHEDULER = {"distributed.scheduler.allowed-failures": 1, "distributed.scheduler.worker-saturation": 1.0}

# How long a scheduler may take to answer.
CONNECT_S = 20

_one_at_a_time = threading.Lock()


class ClusterPool:
    """Workers of a dask scheduler, which work through sessions; to be used in a `with` block.

    Parameters
    ----------
    plan : Plan
        Its largest scan decides how much memory a worker asks the queue for.
    jobs : int
        How many workers to start, with a queue.
    address : str, optional
        Of a scheduler that runs; it has its own workers.
    queue : {"slurm", "sge", "pbs"}, optional
        Have workers started by this queue.
    device : {"auto", "cpu", "gpu"}

    Raises
    ------
    SpinesegError
        If dask is not installed, or the scheduler does not answer.
    """

    def __init__(self, plan: Plan, *, jobs: int, address: str | None = None, queue: str | None = None, device: str = "auto"):
        try:
            import dask
            import distributed
        except ImportError:
            raise SpinesegError("clusters need dask: pip install 'spineseg[cluster]'") from None
        dask.config.set(SCHEDULER)
        self.device, self._cluster = device, None
        if queue:
            self._cluster = make_cluster(queue, needed_bytes(scan for job in plan.jobs for scan in job.scans))
            count = min(jobs, len(plan.jobs))
            self._cluster.adapt(minimum_jobs=count, maximum_jobs=count)  # one that ends by its walltime is replaced
        try:
            self._client = distributed.Client(self._cluster or address, timeout=CONNECT_S)
            self._address = self._client.scheduler_info()["address"]
        except (OSError, TimeoutError, ValueError) as error:
            raise SpinesegError(f"no dask scheduler answers at {address}: {error}") from error

    def __enter__(self) -> ClusterPool:
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def run(self, jobs: Sequence[Job]) -> Iterator[SessionResult]:
        """Yield the result of each job as it comes.

        Raises SpinesegError if no other session can be done: the disk is full, or the scheduler has gone.
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
            with suppress(OSError, TimeoutError, CancelledError):  # of a scheduler that has gone
                self._client.cancel(list(futures))

    def stop(self) -> None:
        """Let go of the scheduler; workers that a queue has started for this run end."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def work_through(job: Job, device: str) -> SessionResult:
    """Work through a session on a worker, whose networks stay loaded; a worker of several threads does one at a time."""
    from distributed import get_worker

    os.environ.setdefault(THREADS_VARIABLE, "1")
    from spineseg_cli.cohort.networks import Networks

    with _one_at_a_time:
        kept = vars(get_worker()).setdefault("spineseg_networks", {})
        if device not in kept:
            kept[device] = Networks(device)
        return run_session(job, kept[device])


def _why(error: BaseException) -> str:
    if type(error).__name__ == "KilledWorker":
        return "its workers were killed, which happens to what needs more memory than there is"
    return f"unexpected {type(error).__name__}: {error}"
