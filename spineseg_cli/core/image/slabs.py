"""Processing of long scans in slabs of slices, so that memory does not grow with their length."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np

S = TypeVar("S")
T = TypeVar("T")

# Number of slices in a slab.
SLICES = 64

# Truncation of Gaussian filters in standard deviations, the default of `scipy.ndimage`.
TRUNCATE = 4.0

# Number of parts of a scan that threads prefetch, and of slices in a part: one is cut while another waits for a network.
PREFETCHED_PARTS = 2
PART_SLICES = 16


def slabs(n: int, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Divide n slices into slabs of similar size, `most` slices at most; yield the first slice and the one after the last."""
    count = -(-n // (SLICES if most is None else most))
    for index in range(count):
        yield index * n // count, (index + 1) * n // count


def gaussian_reach(sigma_slices: float) -> int:
    """Return how many slices below and above a slab a Gaussian filter of `scipy.ndimage` reads."""
    return int(TRUNCATE * sigma_slices + 0.5)


def prefetched(make: Callable[[S], T], items: Sequence[S], threads: int = 1) -> Iterator[T]:
    """Yield `make(item)` for each item, computed in other threads: at most two are computed or used by the caller at a time."""
    if len(items) < 2:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(threads) as executor:
        futures: deque[Future[T]] = deque()
        for item in items:
            futures.append(executor.submit(make, item))  # only now, when the caller has used the last one
            if len(futures) == PREFETCHED_PARTS:
                yield futures.popleft().result()
        yield futures.popleft().result()


class SliceCache(Generic[T]):
    """A cache of one value per slice, computed for many slices at once and kept while later slabs may need it again.

    While the caller uses the values of some slices, those of the slices above are computed in other threads.

    `make` returns the values of some of the `n` slices, given as an array of int; several threads may call it. With `at_once`,
    for values that depend on each other, those of all slices are computed at once.
    """

    def __init__(self, make: Callable[[np.ndarray], Sequence[T]], n: int, *, at_once: bool = False):
        self._make = make
        self._pending = iter([np.arange(n)] if at_once else [np.arange(first, end) for first, end in slabs(n, PART_SLICES)])
        self._submitted: deque[tuple[np.ndarray, Future[Sequence[T]]]] = deque()
        self._values: dict[int, T] = {}
        self._threads = ThreadPoolExecutor(PREFETCHED_PARTS)

    def __enter__(self) -> SliceCache[T]:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def range(self, first: int, end: int) -> list[T]:
        """Return the values of the slices from `first` to before `end`; `first` must not decrease from call to call."""
        for k in [k for k in self._values if k < first]:
            del self._values[k]
        self._submit_next()
        while end - 1 not in self._values:
            slices, future = self._submitted.popleft()
            self._values.update(zip(slices.tolist(), future.result(), strict=True))
            self._submit_next()
        return [self._values[k] for k in range(first, end)]

    def _submit_next(self) -> None:
        """Let the threads compute the next parts."""
        for part in itertools.islice(self._pending, PREFETCHED_PARTS - len(self._submitted)):
            self._submitted.append((part, self._threads.submit(self._make, part)))
