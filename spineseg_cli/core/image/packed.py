"""Masks stored in one bit per sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


class PackedMasks:
    """A sequence of masks of the same shape, which are unpacked on access."""

    def __init__(self) -> None:
        self._bits: list[np.ndarray] = []
        self._width = 0
        self._known: dict[tuple[Callable[..., float], tuple[int, ...]], float] = {}

    def extend(self, masks: np.ndarray) -> None:
        """Append masks, bool, shape (n, height, width)."""
        self._width = masks.shape[2]
        self._bits.extend(np.packbits(masks, axis=2))

    def __getitem__(self, index: int) -> np.ndarray:
        """Return a mask, bool, shape (height, width)."""
        return np.unpackbits(self._bits[index], axis=1, count=self._width).astype(bool)

    def cached(self, measure: Callable[..., float], *indices: int) -> float:
        """Return a measure of one mask, or of several, which is computed when it is first asked for."""
        if (measure, indices) not in self._known:
            self._known[measure, indices] = measure(*(self[index] for index in indices))
        return self._known[measure, indices]

    def __len__(self) -> int:
        return len(self._bits)
