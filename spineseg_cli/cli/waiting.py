"""The elapsed seconds on a terminal while a command takes long, which are erased at its end."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Most scans take less time than until the first number is shown.
FIRST_S = 2.0
EVERY_S = 1.0


@contextmanager
def seconds_counted(name: str) -> Iterator[None]:
    """Show on stderr, if it is a terminal, for how many seconds the command `name` has been running."""
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
    """Print at the start of the line and return the cursor there, so that the next output replaces it."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\r")
        sys.stderr.flush()
