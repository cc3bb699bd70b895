"""Batches of crops, made afresh at every step and reproducible from the seed, the epoch and the step alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np

from spineseg_cli.core.image.intensity import standardize
from spineseg_cli.core.image.nyul import to_standard_scale
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.synthesis.degradation import thick_sagittal
from spineseg_cli.synthesis.generator import LabelSlice, synthesize
from spineseg_cli.training.configs.recipe import Recipe
from spineseg_cli.training.data.augmentation import augment
from spineseg_cli.training.data.labeled_slices import ScanSlice
from spineseg_cli.training.data.stacks import augment_stack, patches_of, synthesize_stack
from spineseg_cli.training.data.standard_scale import on_standard_scale
from spineseg_cli.training.data.transforms import masked, narrow_field

# The channels that `synthesize` gives, in order.
SYNTHETIC_OUTPUTS = ("gray_matter", "cord")
# Sagittal slices are so thick, and as noisy, at most, as a share of the brightest intensities.
SAGITTAL_MM = (1.5, 5.0)
SAGITTAL_NOISE = 0.06
# Batches made ahead of the one in use.
AHEAD = 12


class CropBatches:
    """Batches that mix synthesized and augmented real crops, as a recipe asks for them.

    Parameters
    ----------
    recipe : Recipe
    maps : sequence of sequence of LabelSlice
        Label slices by source; sources are drawn evenly, whatever their size. May be empty if every crop is real.
    scans : sequence of sequence of ScanSlice
        Labeled slices by scan, drawn likewise; without any, every crop is synthesized.
    """

    def __init__(self, recipe: Recipe, maps: Sequence[Sequence[LabelSlice]], scans: Sequence[Sequence[ScanSlice]]):
        self.recipe, self.maps = recipe, maps
        self.preprocessing = InferenceConfig.from_dict(recipe.preprocessing)
        self.scans = [on_standard_scale(scan, self.preprocessing) for scan in scans]
        self.real_share = recipe.real_share if scans else 0.0
        depth = recipe.crop_depth
        self.patches = [patches_of(scan, depth, recipe.overlap) for scan in self.scans] if depth else []

    def make(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch: images, shape (batch, size, size, 1), and targets, shape (batch, size, size, outputs); float32."""
        rng = np.random.default_rng([self.recipe.seed, epoch, step])
        size = int(rng.choice(self.recipe.crop_sizes))
        make = self._stack if self.recipe.crop_depth else self._crop
        crops, targets = zip(*(make(size, rng) for _ in range(self.recipe.batch)), strict=True)
        return np.stack(crops)[..., None], np.stack(targets).astype(np.float32)

    def stream(self, first_epoch: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batches from the start of `first_epoch` on, without end; a thread makes them ahead."""
        places = ((epoch, step) for epoch in count(first_epoch) for step in range(self.recipe.steps))
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
        if self.scans and rng.random() < self.real_share:
            return self._real_stack(size, rng)
        source = self.maps[rng.integers(len(self.maps))]
        image, target = synthesize_stack(source, size, self.recipe.crop_depth, rng, **self._synthesis())
        slices = standardize(self._to_scale(np.moveaxis(image, 2, 0)), normalization=self.preprocessing.normalization)
        return np.moveaxis(slices, 0, 2), target[..., [SYNTHETIC_OUTPUTS.index(output) for output in self.recipe.outputs]]

    def _real_stack(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        patches = self.patches[rng.integers(len(self.patches))]
        patch = patches[rng.integers(len(patches))]
        recipe = self.recipe
        images, targets = augment_stack(patch, size, rng, recipe.augmentation, recipe.outputs, recipe.flips, recipe.jitter_mm)
        if self.preprocessing.per_slice:
            images = standardize(images, normalization=self.preprocessing.normalization)
        return patch.resample(images), patch.resample(targets)

    def _crop(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        recipe, steps = self.recipe, self.preprocessing
        real = rng.random() < self.real_share
        sources = self.scans if real else self.maps
        source = sources[rng.integers(len(sources))]
        chosen = source[rng.integers(len(source))]
        if real:
            if recipe.jitter_mm:
                chosen = chosen.moved(rng.uniform(-1, 1, 2) * recipe.jitter_mm)
            image, target = augment(chosen, size, rng, recipe.augmentation, recipe.outputs, recipe.flips)
        else:
            image, target = synthesize(chosen, size, rng, **self._synthesis())
            target = target[..., [SYNTHETIC_OUTPUTS.index(output) for output in recipe.outputs]]
        if recipe.sagittal_share and rng.random() < recipe.sagittal_share:
            thick_mm, noise = rng.uniform(*SAGITTAL_MM), rng.uniform(0, SAGITTAL_NOISE)
            image = thick_sagittal(image, steps.spacing_mm, thick_mm, rng, noise)
        if recipe.masked_share and rng.random() < recipe.masked_share:
            image = masked(image, steps.spacing_mm, rng)
        inside = None
        if rng.random() < recipe.narrow_share:
            image, target, inside = narrow_field(image, target, rng)
        if not real:
            image = self._to_scale(image, inside)
        if steps.per_slice or not real:
            image = standardize(image[None], None if inside is None else inside[None], normalization=steps.normalization)[0]
        if recipe.level_jitter:
            factor, shift = recipe.level_jitter * rng.standard_normal(2)
            image = image * np.float32(np.exp(factor)) + np.float32(shift)
        return image, target

    def _to_scale(self, image: np.ndarray, inside: np.ndarray | None = None) -> np.ndarray:
        landmarks = self.preprocessing.landmarks
        return to_standard_scale(image, landmarks, inside) if landmarks else image

    def _synthesis(self) -> dict:
        """Return the options of `synthesis.generator.synthesize` that are the recipe's."""
        return {name: getattr(self.recipe, name) for name in ("wide_share", "wide_shift_mm", "contrasts")}
