"""How a command ends that is stopped from outside."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from spineseg_cli.cli.console import complain

# What stops a command beside Ctrl-C (SIGINT): a cluster or `timeout`, and a terminal that is closed.
STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def ends_by_signal(name: str) -> Iterator[None]:
    """Have what is inside stopped by any of the signals as by Ctrl-C, clean up, and end the process by that signal.

    A shell goes on with its loop after a command that exits with a code, and stops after one that a signal has ended.
    """
    came = signal.SIGINT

    def stop(number, _frame):
        nonlocal came
        came = number
        raise KeyboardInterrupt

    main_thread = threading.current_thread() is threading.main_thread()
    default = [number for number in STOPPING if main_thread and signal.getsignal(number) is signal.SIG_DFL]
    for number in default:
        signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt:
        complain(f"{name}: stopped")
        _end_by(came)
        raise  # where a signal ends nothing
    finally:
        for number in default:
            signal.signal(number, signal.SIG_DFL)


def _end_by(number: int) -> None:
    with suppress(OSError):
        sys.stdout.flush()
    if os.name == "posix":
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
