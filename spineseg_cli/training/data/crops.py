"""Training batches, which depend only on the seed, the epoch and the step, and validation crops."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from spineseg_cli.core.image.nyul import to_standard_scale
from spineseg_cli.core.image.standardization import standardize
from spineseg_cli.synthesis.generator import LabelSlice, synthesize
from spineseg_cli.training.choices import SYNTHETIC_OUTPUTS
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.acquisition import acquire
from spineseg_cli.training.data.augmentation import augment, augment_stack
from spineseg_cli.training.data.labeled_slices import ScanSlice
from spineseg_cli.training.data.nyul_scale import on_nyul_scale
from spineseg_cli.training.data.stacks import StackPatch, patches_of, synthesize_stack, thicker_scans
from spineseg_cli.training.data.transforms import TURNED_MARGIN, cropped_field, turned

# Images and targets, float32: shapes (n, size, size, 1) and (n, size, size, outputs); of stacks, (n, size, size, depth, ...).
Crops = tuple[np.ndarray, np.ndarray]

# Number of prefetched batches.
PREFETCHED_BATCHES = 12


class CropBatches:
    """Batches of synthesized crops and augmented crops of scans, by a configuration.

    `label_maps` holds label slices by source, and `scans` labeled slices by scan. All sources are drawn equally often, and all
    scans. Without label maps, all crops come from scans; without scans, all are synthesized. They are made ahead of their use, by
    a thread or by `processes`, which are forked where the system can.
    """

    def __init__(
        self,
        config: TrainingConfig,
        label_maps: Sequence[Sequence[LabelSlice]],
        scans: Sequence[Sequence[ScanSlice]],
        processes: int = 0,
    ):
        self.config, self.label_maps, self.inference, self.processes = config, label_maps, config.inference, processes
        self.scans = [on_nyul_scale(scan, self.inference) for scan in scans]
        self.scan_fraction = config.data.scan_fraction if scans else 0.0
        self.patches = [self._patches_of(scan) for scan in self.scans] if config.sampling.crop_depth else []

    def _patches_of(self, scan: Sequence[ScanSlice]) -> list[StackPatch]:
        """Return the patches of a scan; unless slices are resampled, also those of its versions with thicker slices."""
        depth, overlap = self.config.sampling.crop_depth, self.config.sampling.patch_overlap
        resampled = self.inference.resample_slices
        scans = [scan] if resampled else thicker_scans(scan)
        return [part for thick in scans for part in patches_of(thick, depth, overlap, resampled)]

    @property
    def made_per_epoch(self) -> int:
        """The number of batches of an epoch that are made; the others are these again, in the same order."""
        return -(-self.config.optimizer.steps_per_epoch // self.config.sampling.uses_per_crop)

    def make(self, epoch: int, step: int) -> Crops:
        """Return a batch: images, shape (batch, size, size, 1), and targets, shape (batch, size, size, outputs); float32.

        If crops are used several times, the batches of an epoch are repeated in the same order, mirrored every other time.
        """
        use, made = divmod(step, self.made_per_epoch)
        return _mirrored_if_odd(self._make(epoch, made), use)

    def _make(self, epoch: int, step: int) -> Crops:
        rng = np.random.default_rng([self.config.seed, epoch, step])
        size = int(rng.choice(self.config.sampling.crop_sizes))
        make = self._stack if self.config.sampling.crop_depth else self._crop
        crops, targets = zip(*(make(size, rng) for _ in range(self.config.optimizer.batch_size)), strict=True)
        return np.stack(crops)[..., None], np.stack(targets).astype(np.float32)

    def stream(self, first_epoch: int = 0) -> Generator[Crops, None, None]:
        """Yield the batches from the start of `first_epoch` without end: see `make`."""
        to_make = ((epoch, step) for epoch in count(first_epoch) for step in range(self.made_per_epoch))
        steps = self.config.optimizer.steps_per_epoch
        with self._workers() as workers:
            make = _make_in_process if self.processes else self._make
            ahead = deque(workers.submit(make, *next(to_make)) for _ in range(max(PREFETCHED_BATCHES, 4 * self.processes)))
            kept: dict[int, Crops] = {}
            try:
                while True:
                    for step in range(steps):
                        use, made = divmod(step, self.made_per_epoch)
                        if not use:
                            kept[made] = ahead.popleft().result()
                            ahead.append(workers.submit(make, *next(to_make)))
                        is_last_use = step + self.made_per_epoch >= steps
                        yield _mirrored_if_odd(kept.pop(made) if is_last_use else kept[made], use)
            finally:
                workers.shutdown(wait=False, cancel_futures=True)

    def _workers(self) -> Executor:
        """Return a thread, or processes, which share the memory of this one where the system can fork."""
        if not self.processes:
            return ThreadPoolExecutor(1)
        context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else None)
        return ProcessPoolExecutor(self.processes, context, initializer=_begin_process, initargs=(self,))

    def _stack(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if self.scans and rng.random() < self.scan_fraction:
            return self._scan_stack(size, rng)
        source = self.label_maps[int(rng.integers(len(self.label_maps)))]
        depth, resampled = self.config.sampling.crop_depth, self.inference.resample_slices
        image, target = synthesize_stack(source, size, depth, rng, resampled, **self._synthesis())
        images, targets, inside = self._acquired_stack(np.moveaxis(image, 2, 0), np.moveaxis(self._outputs(target), 2, 0), rng)
        images = standardize(self._on_nyul_scale(images, inside), inside, normalization=self.inference.normalization)
        return np.moveaxis(images, 0, 2), np.moveaxis(targets, 0, 2)

    def _scan_stack(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        patches = self.patches[int(rng.integers(len(self.patches)))]
        patch = patches[int(rng.integers(len(patches)))]
        augmentation, jitter_mm = self.config.augmentation, self.config.sampling.center_jitter_mm
        images, targets = augment_stack(
            patch, size, rng, augmentation.profile, self.config.outputs, augmentation.mirror, jitter_mm
        )
        images, targets, inside = self._acquired_stack(images, targets, rng)
        if self.inference.per_slice:
            images = standardize(images, inside, normalization=self.inference.normalization)
        return patch.resample(images), patch.resample(targets)

    def _acquired_stack(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return slices of a stack, shape (n, size, size, ...), after the same degradations: see `_acquired`."""
        seed = int(rng.integers(2**32))
        acquired = [self._acquired(*part, np.random.default_rng(seed)) for part in zip(images, targets, strict=True)]
        degraded, labels, inside = zip(*acquired, strict=True)
        return np.stack(degraded), np.stack(labels), None if inside[0] is None else np.stack(inside)

    def _crop(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        sampling, augmentation, inference = self.config.sampling, self.config.augmentation, self.inference
        of_scan = rng.random() < self.scan_fraction
        turn = augmentation.turned_prob and rng.random() < augmentation.turned_prob
        side = size * TURNED_MARGIN if turn else size
        sources: Sequence[Sequence[Any]] = self.scans if of_scan else self.label_maps
        source = sources[int(rng.integers(len(sources)))]
        chosen = source[int(rng.integers(len(source)))]
        if of_scan:
            if sampling.center_jitter_mm:
                chosen = chosen.moved(rng.uniform(-1, 1, 2) * sampling.center_jitter_mm)
            image, target = augment(chosen, side, rng, augmentation.profile, self.config.outputs, augmentation.mirror)
        else:
            image, target = synthesize(chosen, side, rng, **self._synthesis())
            target = self._outputs(target)
        if turn:
            image, target = turned(image, target, size, rng)
        image, target, inside = self._acquired(image, target, rng)
        if not of_scan:
            image = self._on_nyul_scale(image, inside)
        if inference.per_slice or not of_scan:
            image = standardize(image[None], None if inside is None else inside[None], normalization=inference.normalization)[0]
        if augmentation.intensity_jitter:
            factor, shift = augmentation.intensity_jitter * rng.standard_normal(2)
            image = image * np.float32(np.exp(factor)) + np.float32(shift)
        return image, target

    def _acquired(
        self, image: np.ndarray, target: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return a degraded crop, shape (size, size), its target, and which samples lie inside the image, bool; None for all."""
        image, target = acquire(image, target, self.config.augmentation, self.inference.spacing_mm, rng)
        inside = None
        if rng.random() < self.config.sampling.cropped_fov_prob:
            image, target, inside = cropped_field(image, target, rng)
        return image, target, inside

    def _outputs(self, target: np.ndarray) -> np.ndarray:
        """Return the channels of a synthetic target that the network predicts."""
        return target[..., [SYNTHETIC_OUTPUTS.index(output) for output in self.config.outputs]]

    def _on_nyul_scale(self, image: np.ndarray, inside: np.ndarray | None = None) -> np.ndarray:
        landmarks = self.inference.landmarks
        return to_standard_scale(image, landmarks, inside) if landmarks else image

    def _synthesis(self) -> dict:
        """Return the options of `synthesis.generator.synthesize` in the configuration."""
        sampling = self.config.sampling
        return {"far_shift_prob": sampling.far_shift_prob, "far_shift_mm": sampling.far_shift_mm, "contrasts": sampling.contrasts}


def _mirrored_if_odd(crops: Crops, use: int) -> Crops:
    """Return the crops for a use of them, counted from 0: every other time they are mirrored."""
    images, targets = crops
    return (images[:, ::-1], targets[:, ::-1]) if use % 2 else crops


# The batches that this process makes, if it was started for that.
_of_process: CropBatches


def _begin_process(batches: CropBatches) -> None:
    global _of_process
    _of_process = batches
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains


def _make_in_process(epoch: int, step: int) -> Crops:
    return _of_process._make(epoch, step)


def validation_crops(config: TrainingConfig, scans: Sequence[Sequence[ScanSlice]]) -> Crops:
    """Return the central crop of each slice of labeled scans without augmentation, once for each rater.

    For a 3-D network, they are stacks that do not overlap, except for the last one of a scan, with targets by the first rater.
    """
    inference, depth, size = config.inference, config.sampling.crop_depth, max(config.sampling.crop_sizes)
    scans = [on_nyul_scale(scan, inference) for scan in scans]
    images, targets = [], []
    if depth:
        for patch in (patch for scan in scans for patch in patches_of(scan, depth, 0, inference.resample_slices)):
            stack, target = augment_stack(patch, size, np.random.default_rng(0), "none", config.outputs)
            stack = standardize(stack, normalization=inference.normalization) if inference.per_slice else stack
            images.append(patch.resample(stack))
            targets.append(patch.resample(target))
    else:
        for part in (part for scan in scans for part in scan):
            for one in [replace(part, structure=(drawn,)) for drawn in part.structure] or [part]:
                image, target = augment(one, size, np.random.default_rng(0), "none", config.outputs)
                image = standardize(image[None], normalization=inference.normalization)[0] if inference.per_slice else image
                images.append(image)
                targets.append(target)
    return np.stack(images)[..., None], np.stack(targets)
