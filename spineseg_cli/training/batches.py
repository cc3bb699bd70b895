"""Batches of crops, made afresh at every step and reproducible from the seed, the epoch and the step alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np

from spineseg_cli.core.intensity import standardise
from spineseg_cli.core.preprocessing import Preprocessing
from spineseg_cli.synthesis.generator import WIDE_SHIFT_MM, LabelSlice, synthesise
from spineseg_cli.training.augmentation import augment
from spineseg_cli.training.recipe import Recipe
from spineseg_cli.training.slices import ScanSlice
from spineseg_cli.training.stacks import synthesise_stack
from spineseg_cli.training.transforms import narrow_field

# The channels that `synthesise` gives, in order.
SYNTHETIC_OUTPUTS = ("gray_matter", "cord")
# Batches made ahead of the one in use.
AHEAD = 12


class CropBatches:
    """Batches that mix synthesised and augmented real crops.

    Parameters
    ----------
    maps : sequence of sequence of LabelSlice
        Label slices by source; sources are drawn evenly, whatever their size. May be empty if every crop is real.
    scans : sequence of sequence of ScanSlice
        Labelled slices by scan, drawn likewise; may be empty.
    real_share : float
        Share of crops that come from scans.
    batch, steps : int
        Crops a batch, batches an epoch.
    sizes : sequence of int
        Sides of the crops, samples; one is drawn for each batch.
    seed : int
    outputs : sequence of str
        Channels of the targets: "gray_matter", "cord".
    augmentation : str
        One of `augmentation.PROFILES`, for real crops.
    wide_share : float
        See `synthesis.generator.synthesise`.
    per_slice : bool
        Standardise each real crop; otherwise scans come standardised as a whole, and crops stay as augmented.
    wide_shift_mm : float
        See `synthesis.generator.synthesise`.
    narrow_share : float
        Share of the crops that are seen as if the image ended inside them: see `transforms.narrow_field`.
    depth : int
        Slices a crop: see `stacks.synthesise_stack`; 0 for crops of one slice without an axis for it.
    level_jitter : float
        Standard deviation of a random shift, and of the logarithm of a random factor, of standardised crops: the levels of a
        large field of view depend on how much air is in it.
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
        outputs: Sequence[str] = SYNTHETIC_OUTPUTS,
        augmentation: str = "default",
        per_slice: bool = True,
        wide_share: float = 0.0,
        wide_shift_mm: float = WIDE_SHIFT_MM,
        narrow_share: float = 0.0,
        level_jitter: float = 0.0,
        depth: int = 0,
    ):
        self.maps, self.scans = maps, scans
        self.real_share = real_share if scans else 0.0
        self.batch, self.steps, self.sizes, self.seed = batch, steps, list(sizes), seed
        self.outputs, self.augmentation, self.per_slice = tuple(outputs), augmentation, per_slice
        self.wide_share, self.wide_shift_mm = wide_share, wide_shift_mm
        self.narrow_share, self.level_jitter, self.depth = narrow_share, level_jitter, depth

    @classmethod
    def from_recipe(
        cls, recipe: Recipe, maps: Sequence[Sequence[LabelSlice]], scans: Sequence[Sequence[ScanSlice]]
    ) -> CropBatches:
        """Return the batches that a recipe asks for."""
        return cls(
            maps,
            scans,
            recipe.real_share,
            recipe.batch,
            recipe.steps,
            recipe.crop_sizes,
            recipe.seed,
            recipe.outputs,
            recipe.augmentation,
            Preprocessing.from_dict(recipe.preprocessing).per_slice,
            recipe.wide_share,
            recipe.wide_shift_mm,
            recipe.narrow_share,
            recipe.level_jitter,
            recipe.crop_depth,
        )

    def make(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch: images, shape (batch, size, size, 1), and targets, shape (batch, size, size, outputs); float32."""
        rng = np.random.default_rng([self.seed, epoch, step])
        size = int(rng.choice(self.sizes))
        make = self._stack if self.depth else self._crop
        crops, targets = zip(*(make(size, rng) for _ in range(self.batch)), strict=True)
        return np.stack(crops)[..., None], np.stack(targets).astype(np.float32)

    def stream(self, first_epoch: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batches from the start of `first_epoch` on, without end; a thread makes them ahead."""
        places = ((epoch, step) for epoch in count(first_epoch) for step in range(self.steps))
        with ThreadPoolExecutor(1) as worker:
            ahead = deque(worker.submit(self.make, *next(places)) for _ in range(AHEAD))
            try:
                while True:
                    made = ahead.popleft().result()
                    ahead.append(worker.submit(self.make, *next(places)))
                    yield made
            finally:
                worker.shutdown(wait=False, cancel_futures=True)

    def _stack(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        source = self.maps[rng.integers(len(self.maps))]
        image, target = synthesise_stack(
            source, size, self.depth, rng, wide_share=self.wide_share, wide_shift_mm=self.wide_shift_mm
        )
        slices = standardise(np.moveaxis(image, 2, 0))
        return np.moveaxis(slices, 0, 2), target[..., [SYNTHETIC_OUTPUTS.index(output) for output in self.outputs]]

    def _crop(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        real = rng.random() < self.real_share
        sources = self.scans if real else self.maps
        source = sources[rng.integers(len(sources))]
        chosen = source[rng.integers(len(source))]
        if real:
            image, target = augment(chosen, size, rng, self.augmentation, self.outputs)
        else:
            image, target = synthesise(chosen, size, rng, wide_share=self.wide_share, wide_shift_mm=self.wide_shift_mm)
            target = target[..., [SYNTHETIC_OUTPUTS.index(output) for output in self.outputs]]
        inside = None
        if rng.random() < self.narrow_share:
            image, target, inside = narrow_field(image, target, rng)
        if self.per_slice or not real:
            image = standardise(image[None], None if inside is None else inside[None])[0]
        if self.level_jitter:
            factor, shift = self.level_jitter * rng.standard_normal(2)
            image = image * np.float32(np.exp(factor)) + np.float32(shift)
        return image, target


def validation_crops(
    scans: Sequence[Sequence[ScanSlice]], size: int, outputs: Sequence[str], per_slice: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the central crop of every slice as it is, once a rater.

    Returns
    -------
    images : ndarray, shape (n, size, size, 1), float32
    targets : ndarray, shape (n, size, size, outputs), float32
    """
    images, targets = [], []
    for scan_slice in (part for scan in scans for part in scan):
        for gray in scan_slice.grays or (None,):
            one = ScanSlice(scan_slice.image, () if gray is None else (gray,), scan_slice.cord)
            image, target = augment(one, size, np.random.default_rng(0), "none", outputs)
            images.append(standardise(image[None])[0] if per_slice else image)
            targets.append(target)
    return np.stack(images)[..., None], np.stack(targets)
