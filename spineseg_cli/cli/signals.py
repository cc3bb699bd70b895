"""The end of a command that a signal stops."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from spineseg_cli.cli.console import complain

# Signals that stop a command besides SIGINT (Ctrl-C): of a cluster or `timeout`, and of a terminal that is closed.
STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def ends_by_signal(name: str) -> Iterator[None]:
    """Let any of the signals stop the block like Ctrl-C, with its cleanup, and then end the process by that signal.

    The loop of a shell script continues after a command that exits with a code, but not after one that a signal has ended.
    """
    received = signal.SIGINT

    def stop(number, _frame):
        nonlocal received
        received = number
        raise KeyboardInterrupt

    main_thread = threading.current_thread() is threading.main_thread()
    default = [number for number in STOPPING if main_thread and signal.getsignal(number) is signal.SIG_DFL]
    for number in default:
        signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt:
        complain(f"{name}: stopped")
        _end_by(received)
        raise  # on systems where the signal does not end the process
    finally:
        for number in default:
            signal.signal(number, signal.SIG_DFL)


def _end_by(number: int) -> None:
    with suppress(OSError):
        sys.stdout.flush()
    if os.name == "posix":
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
