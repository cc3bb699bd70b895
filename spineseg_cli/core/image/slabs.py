"""Long scans a slab of slices at a time, so that memory does not grow with their length."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")

# Slices of a slab.
SLICES = 64

# Parts of a scan that are made ahead, each by a thread: while one waits for a network, the next is cut.
AHEAD = 2
MADE_AT_A_TIME = 16


def slabs(n: int, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield the first slice, and the one after the last, of each slab of n slices: `most` or fewer, of about one thickness."""
    count = -(-n // (SLICES if most is None else most))
    for index in range(count):
        yield index * n // count, (index + 1) * n // count


def made_ahead(make: Callable[[int], T], items: Sequence[int]) -> Iterator[T]:
    """Yield what is made of each item; that of the next is made, in another thread, while this one is used."""
    if len(items) < 2:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(make, items[0])
        for item in items[1:]:
            made, coming = coming.result(), thread.submit(make, item)
            yield made
        yield coming.result()


class SliceCache(Generic[T]):
    """Something of each slice, made for many slices at once, and kept while the slabs that follow may ask for it again.

    While what was asked for is worked on, that of the slices above is made in other threads, where there are processors for them.

    Parameters
    ----------
    make : callable
        Returns it for some slices, an array of int. It may be called from several threads.
    n : int
        The slices.
    at_once : bool
        Make that of all n slices at once, because what it is for one depends on the others.
    """

    def __init__(self, make: Callable[[np.ndarray], Sequence[T]], n: int, *, at_once: bool = False):
        self._make = make
        self._left = iter([np.arange(n)] if at_once else [np.arange(first, end) for first, end in slabs(n, MADE_AT_A_TIME)])
        self._coming: deque[tuple[np.ndarray, Future[Sequence[T]]]] = deque()
        self._known: dict[int, T] = {}
        self._threads = ThreadPoolExecutor(AHEAD)

    def __enter__(self) -> SliceCache[T]:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def range(self, first: int, end: int) -> list[T]:
        """Return that of the slices from `first` to before `end`; `first` must not fall from call to call."""
        for k in [k for k in self._known if k < first]:
            del self._known[k]
        self._order()
        while end - 1 not in self._known:
            slices, made = self._coming.popleft()
            self._order()
            self._known.update(zip(slices.tolist(), made.result(), strict=True))
        return [self._known[k] for k in range(first, end)]

    def _order(self) -> None:
        """Have what comes next made."""
        for part in itertools.islice(self._left, AHEAD - len(self._coming)):
            self._coming.append((part, self._threads.submit(self._make, part)))
