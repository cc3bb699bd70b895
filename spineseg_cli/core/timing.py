"""Logging of the duration of a pipeline's stages, which `-v 2` shows."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Log the duration of the block in seconds."""
    start = time.perf_counter()
    yield
    log.debug("%-24s %7.2f s", stage, time.perf_counter() - start)
