"""A worker process, which loads the networks once and processes the sessions that it is sent."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from contextlib import suppress

from spineseg_cli.cohort.session import Job, SessionResult, run_session, why_failed
from spineseg_cli.core.inference.litert import THREADS_VARIABLE


def serve(connection, device: str, threads: int) -> None:
    """Process the jobs that arrive on a connection, and send back their results.

    The process ends when None arrives, or when the process that started it ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the main process ends the workers
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ[THREADS_VARIABLE] = str(threads)
    logging.getLogger("spineseg_cli").addHandler(logging.NullHandler())

    from spineseg_cli.cohort.network_cache import NetworkCache

    networks = NetworkCache(device)
    with suppress(_Ended, EOFError):
        while (job := connection.recv()) is not None:
            connection.send(_result(job, networks))


def _result(job: Job, networks) -> SessionResult:
    try:
        return run_session(job, networks)
    except Exception as error:  # an error of one session must not end the worker
        return SessionResult(job.session, error=why_failed(error))


class _Ended(BaseException):
    """The process was asked to end. It is not an Exception, so that a session does not handle it as its own error."""


def _end(_number, _frame) -> None:
    """End the process by an exception, so that temporary files are removed."""
    raise _Ended


def _end_with_parent() -> None:
    """End this process when the process that started it has ended, for whatever reason."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        signal.raise_signal(signal.SIGTERM)
