"""Long scans a slab of slices at a time, so that memory does not grow with their length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np

from spineseg_cli.core.image.slice_windows import batches

T = TypeVar("T")

# Slices of a slab.
SLICES = 64


def slabs(n: int) -> Iterator[tuple[int, int]]:
    """Yield the first slice, and the one after the last, of each slab of n slices; slabs are of about one thickness."""
    count = -(-n // SLICES)
    for index in range(count):
        yield index * n // count, (index + 1) * n // count


class SliceCache(Generic[T]):
    """Something of each slice, made for many slices at once, and kept while the slabs that follow may ask for it again.

    Parameters
    ----------
    make : callable
        Returns it for some slices, an array of int.
    at_once : bool
        Make that of all n slices at once, because what it is for one depends on the others.
    n : int
    """

    def __init__(self, make: Callable[[np.ndarray], Sequence[T]], n: int, *, at_once: bool = False):
        self._make, self._n, self._at_once = make, n, at_once
        self._known: dict[int, T] = {}

    def range(self, first: int, end: int) -> list[T]:
        """Return that of the slices from `first` to before `end`; `first` must not fall from call to call."""
        if self._at_once and not self._known:
            self._known = dict(enumerate(self._make(np.arange(self._n))))
        for k in [k for k in self._known if k < first]:
            del self._known[k]
        missing = np.array([k for k in range(first, end) if k not in self._known], int)
        if len(missing):
            for part in batches(missing):
                self._known.update(zip(part.tolist(), self._make(part), strict=True))
        return [self._known[k] for k in range(first, end)]
