"""Masks stored in one bit per sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


class PackedMasks:
    """A sequence of masks of the same shape, which are unpacked on access."""

    def __init__(self) -> None:
        self._bits: list[np.ndarray] = []
        self._width = 0
        self._known: dict[tuple[Callable[[np.ndarray], float], int], float] = {}

    def extend(self, masks: np.ndarray) -> None:
        """Append masks, bool, shape (n, height, width)."""
        self._width = masks.shape[2]
        self._bits.extend(np.packbits(masks, axis=2))

    def __getitem__(self, index: int) -> np.ndarray:
        """Return a mask, bool, shape (height, width)."""
        return np.unpackbits(self._bits[index], axis=1, count=self._width).astype(bool)

    def once(self, measure: Callable[[np.ndarray], float], index: int) -> float:
        """Return the measure of a mask, which is computed when it is first asked for."""
        if (measure, index) not in self._known:
            self._known[measure, index] = measure(self[index])
        return self._known[measure, index]

    def __len__(self) -> int:
        return len(self._bits)
