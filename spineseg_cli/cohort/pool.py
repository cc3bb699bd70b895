"""Worker processes on this machine.

If a worker dies, another worker processes its session again, once. The ledger holds the steps that were finished, so that only
the interrupted step is repeated.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spineseg_cli.cohort.memory import available_bytes, needed_bytes
from spineseg_cli.cohort.session import Job, SessionResult
from spineseg_cli.cohort.worker import serve
from spineseg_cli.core.inference.litert import usable_cpus
from spineseg_cli.errors import SpinesegError

# The largest number of times that a session is started.
ATTEMPTS = 2

# The time that workers have to clean up when the run is stopped.
GRACE_S = 2.0


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    connection: multiprocessing.connection.Connection
    job: Job | None = None
    bytes: int = 0


class LocalPool:
    """A pool of processes that process sessions. Use it in a `with` block, at whose end the processes end.

    `jobs` is the largest number of simultaneous sessions; there are fewer while large scans need the memory.
    """

    def __init__(self, jobs: int, device: str = "auto"):
        self.jobs, self.device = jobs, device
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []

    def __enter__(self) -> LocalPool:
        return self

    def run(self, jobs: Sequence[Job]) -> Iterator[SessionResult]:
        """Yield the result of each job when it is finished.

        Raises SpinesegError if no further session can be processed, because the disk is full for instance.
        """
        pending = deque(jobs)
        attempts: dict[str, int] = {}
        free_bytes = available_bytes()
        while pending or self._busy():
            self._hand_out(pending, attempts, free_bytes)
            for worker in self._ready():
                job = worker.job
                assert job is not None  # only busy workers become ready
                result = self._collect(worker)
                if result is None:
                    if attempts[job.session] < ATTEMPTS:
                        pending.appendleft(job)
                        continue
                    result = SessionResult(job.session, error=_why(worker.process.exitcode))
                yield result
                if result.fatal:
                    raise SpinesegError(result.fatal)

    def __exit__(self, *_) -> None:
        """End all workers: idle ones at once, busy ones within `GRACE_S`."""
        for worker in self._workers:
            if worker.job is None:
                worker.connection.close()
            else:
                worker.process.terminate()
        deadline = time.monotonic() + GRACE_S
        for worker in self._workers:
            _wait_or_kill(worker, deadline)
        self._workers.clear()

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _hand_out(self, pending: deque[Job], attempts: dict[str, int], free_bytes: int) -> None:
        """Send jobs to idle workers as long as there is enough memory for all sessions that are processed at the same time."""
        while pending and len(self._busy()) < self.jobs:
            need = needed_bytes(pending[0].scans)
            if self._busy() and need + sum(worker.bytes for worker in self._busy()) > free_bytes:
                return
            worker = next((worker for worker in self._workers if worker.job is None), None) or self._start()
            job = pending.popleft()
            worker.job, worker.bytes = job, need
            try:
                worker.connection.send(job)
            except OSError:  # the worker died while it was idle, which does not count as an attempt
                worker.job = None
                self._remove(worker)
                pending.appendleft(job)
                continue
            attempts[job.session] = attempts.get(job.session, 0) + 1

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        threads = max(1, usable_cpus() // self.jobs)
        process = self._context.Process(target=serve, args=(theirs, self.device, threads), daemon=True)
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def _ready(self) -> list[_Worker]:
        """Wait for the first worker that has a result or has died; return all such workers."""
        busy = self._busy()
        ready = multiprocessing.connection.wait([worker.connection for worker in busy])
        return [worker for worker in busy if worker.connection in ready]

    def _collect(self, worker: _Worker) -> SessionResult | None:
        """Return the result of a worker; None, and remove the worker from the pool, if it has died."""
        try:
            result = worker.connection.recv()
        except (EOFError, OSError):
            self._remove(worker)
            return None
        worker.job = None
        return result

    def _remove(self, worker: _Worker) -> None:
        _wait_or_kill(worker, time.monotonic() + GRACE_S)
        self._workers.remove(worker)


def _wait_or_kill(worker: _Worker, deadline: float) -> None:
    worker.process.join(max(0.0, deadline - time.monotonic()))
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    worker.connection.close()


def _why(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        advice = "; the system kills what needs more memory than there is: use fewer jobs" if exit_code == -9 else ""
        return f"its worker was ended by signal {-exit_code}, {ATTEMPTS} times{advice}"
    return f"its worker ended unexpectedly (exit code {exit_code}), {ATTEMPTS} times"
