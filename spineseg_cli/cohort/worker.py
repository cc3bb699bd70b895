"""A worker process: it loads the networks once, and works through the sessions that it is sent."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from contextlib import suppress

from spineseg_cli.cohort.session import Job, SessionResult, run_session

# How many processors a worker's networks may use: see `core.inference.litert`.
THREADS_VARIABLE = "SPINESEG_THREADS"


def serve(connection, device: str, threads: int) -> None:
    """Work through the jobs that come, send a result for each, and end with None or with the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the driver decides what ends
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ[THREADS_VARIABLE] = str(threads)
    logging.getLogger("spineseg_cli").addHandler(logging.NullHandler())

    from spineseg_cli.cohort.networks import Networks

    networks = Networks(device)
    with suppress(_Ended):
        while (job := _receive(connection)) is not None:
            connection.send(_result(job, networks))


def _receive(connection) -> Job | None:
    try:
        return connection.recv()
    except EOFError:
        return None


def _result(job: Job, networks) -> SessionResult:
    try:
        return run_session(job, networks)
    except MemoryError:
        return SessionResult(job.session, error="out of memory: use fewer jobs, or crop the image first")
    except Exception as error:  # whatever it is, the next session is another
        return SessionResult(job.session, error=f"unexpected {type(error).__name__}: {error}")


class _Ended(BaseException):
    """The process was asked to end. Not an Exception, so that no session takes it for its own error."""


def _end(_number, _frame) -> None:
    """End at once, but clean up: temporary files go on the way."""
    raise _Ended


def _end_with_parent() -> None:
    """End this process when the one that started it has gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        signal.raise_signal(signal.SIGTERM)
