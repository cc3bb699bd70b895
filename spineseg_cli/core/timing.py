"""How long the stages of a pipeline take, in the log of `-v 2`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Log the seconds that the block took."""
    start = time.perf_counter()
    yield
    log.debug("%-24s %7.2f s", stage, time.perf_counter() - start)
