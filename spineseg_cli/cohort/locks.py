"""Locks between runs: two of them never work on one session at the same time.

The system frees a lock when the process that holds it ends, however it ends. Where a file system knows no locks, there are
none: files still appear whole or not at all, and equal work gives equal bytes.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spineseg_cli.errors import SpinesegError

# A worker that has just been killed may hold its lock for a moment.
PATIENCE_S = 5.0
PAUSE_S = 0.05

UNKNOWN = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class BusyError(SpinesegError):
    """Another run is at work on the same results."""


@contextmanager
def locked(path: Path, what: str, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock of a file, which is made if it is not there. Raises BusyError if another process keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        _acquire(file, what, time.monotonic() + patience_s)
        yield


def _acquire(file, what: str, deadline: float) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno in UNKNOWN:
                return
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN):
                raise
        if time.monotonic() > deadline:
            raise BusyError(f"another run is at work on {what}; wait until it has ended, then run this command again")
        time.sleep(PAUSE_S)
