"""A count of seconds on a terminal while a command takes long; none is printed for a short one, and nothing of it stays."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Most scans are done before.
FIRST_S = 2.0
EVERY_S = 1.0


@contextmanager
def seconds_counted(name: str) -> Iterator[None]:
    """Show on stderr, if it is a terminal, for how many seconds the command `name` has been at work."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    counter = threading.Thread(target=_count, args=(name, done), daemon=True)
    counter.start()
    try:
        yield
    finally:
        done.set()
        counter.join()


def _count(name: str, done: threading.Event) -> None:
    start, shown = time.monotonic(), ""
    while not done.wait(EVERY_S if shown else FIRST_S):
        shown = f"{name}: {time.monotonic() - start:.0f} s"
        _show(shown)
    if shown:
        _show(" " * len(shown))


def _show(text: str) -> None:
    """Print at the start of the line, and go back there: what is printed next takes its place."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\r")
        sys.stderr.flush()
