"""Batches of crops, made afresh at every step and reproducible from the seed, the epoch and the step alone."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from spineseg_cli.core.intensity import standardise
from spineseg_cli.synthesis.generator import LabelSlice, synthesise
from spineseg_cli.training.augmentation import augment
from spineseg_cli.training.slices import ScanSlice


class CropBatches(keras.utils.PyDataset):
    """Batches that mix synthesised and augmented real crops.

    Parameters
    ----------
    maps : sequence of sequence of LabelSlice
        Label slices by source; sources are drawn evenly, whatever their size.
    scans : sequence of sequence of ScanSlice
        Labelled slices by scan, drawn likewise; may be empty.
    real_share : float
        Share of crops that come from scans.
    batch, steps : int
        Crops a batch, batches an epoch.
    sizes : sequence of int
        Sides of the crops, samples; one is drawn for each batch.
    seed : int
    """

    def __init__(
        self,
        maps: Sequence[Sequence[LabelSlice]],
        scans: Sequence[Sequence[ScanSlice]],
        real_share: float,
        batch: int,
        steps: int,
        sizes: Sequence[int],
        seed: int,
    ):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=12)
        self.maps, self.scans = maps, scans
        self.real_share = real_share if scans else 0.0
        self.batch, self.steps, self.sizes, self.seed = batch, steps, list(sizes), seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, self.epoch, step])
        size = int(rng.choice(self.sizes))
        crops, targets = zip(*(self._crop(size, rng) for _ in range(self.batch)), strict=True)
        return standardise(np.stack(crops))[..., None], np.stack(targets).astype(np.float32)

    def _crop(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        real = rng.random() < self.real_share
        sources = self.scans if real else self.maps
        source = sources[rng.integers(len(sources))]
        chosen = source[rng.integers(len(source))]
        return augment(chosen, size, rng) if real else synthesise(chosen, size, rng)
