"""Gray matter and the cord around it, from a network and the intensities within the cord, computed in slabs of slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from spineseg_cli.core.confidence.features import MARGIN_MM, sampled_slices
from spineseg_cli.core.image.bounds import bounding_box
from spineseg_cli.core.image.cropped import Block
from spineseg_cli.core.image.packed import PackedMasks
from spineseg_cli.core.image.slabs import SliceCache, slabs
from spineseg_cli.core.image.slice_windows import Indices
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.probabilities import OUTLINE, sharpen
from spineseg_cli.core.outlines.gray_matter_network import GrayMatterNetwork, Prediction
from spineseg_cli.core.outlines.postprocessing import fill_holes, keep_inside, on_path, remove_small_components
from spineseg_cli.core.outlines.tissue_evidence import NEIGHBORS, with_tissue_evidence

# Samples with less than this probability are neither cord nor gray matter.
UNLIKELY = 0.05

# Number of slices that are resampled to the grid of the scan at a time, so that intermediate arrays fit into the CPU's caches.
SLAB_SLICES = 16


class _Part(NamedTuple):
    """The range of window samples that may be cord, along x and y, and that of the voxels of the scan that depend on them."""

    samples: tuple[slice, slice]
    voxels: tuple[slice, slice]


@dataclass(frozen=True)
class GrayMatterSlices:
    """The gray matter in n slices of an RPI scan."""

    mask: list[Block] = field(default_factory=list)  # uint8
    probability: list[Block] = field(default_factory=list)  # float32
    cord: list[Block] = field(default_factory=list)  # uint8, if the network predicts it
    # The network's own probability of gray matter around the mask, float32, in the slices used for the confidence.
    network: dict[int, Block] = field(default_factory=dict)
    likely: PackedMasks = field(default_factory=PackedMasks)  # masks by the network alone, in its windows
    # The contrast of gray to white matter in each slice (`TissueSection.contrast`); empty if intensities are not used.
    contrasts: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)  # voxels of gray matter in each slice
    cord_counts: list[int] = field(default_factory=list)  # voxels of the cord that the network predicts

    def end_gray_matter(self, count: int) -> None:
        """Remove the gray matter above the lowest `count` slices."""
        _end(self.mask + self.probability, count)
        self.counts[count:] = [0] * len(self.counts[count:])

    def end_cord(self, count: int) -> None:
        """Remove the cord and its gray matter above the lowest `count` slices."""
        _end(self.cord, count)
        self.end_gray_matter(count)


def _end(blocks: list[Block], count: int) -> None:
    """Set blocks to 0 above the lowest `count` slices."""
    for block in blocks:
        block.data[:, :, max(blocks[0].corner[2] + count - block.corner[2], 0) :] = 0


@dataclass(frozen=True)
class GrayMatterReader:
    """The segmentation of gray matter in the slices of a scan that hold cord."""

    network: GrayMatterNetwork  # in the windows of the scan
    cord: Volume | None = None  # a mask on the grid of the scan, to which the gray matter is restricted

    def read(self, threshold: float) -> GrayMatterSlices:
        """Return the gray matter, the voxels whose probability exceeds `threshold`."""
        result, slices = GrayMatterSlices(), self.network.location.slices
        at_once = self.network.predictor.config.needs_all_slices

        def predict(indices: np.ndarray) -> list[Prediction]:
            return self.network.predict(indices + slices.start)

        with SliceCache(predict, len(slices), at_once=at_once) as predictions:
            for first, end in slabs(len(slices), SLAB_SLICES):
                low = max(first - NEIGHBORS, 0)
                near = predictions.range(low, min(end + NEIGHBORS, len(slices)))
                self._add(result, first, near, range(first - low, end - low), threshold)
        return result

    def network_probability(self, k: int) -> Block:
        """Return the network's own probability of gray matter in a slice of the scan, in the voxels of the box."""
        return self._block(self.network.probability(np.array([k]))[0], k)

    def _add(self, result: GrayMatterSlices, first: int, near: list[Prediction], slab: range, threshold: float) -> None:
        """Add a slab of slices to the result.

        `first` is the slab's first slice, counted from the first with cord; `near` holds the predictions of its slices and of
        their neighbors; `slab` are the indices of its slices in `near`.
        """
        config, start = self.network.predictor.config, self.network.box[2].start + first
        slices = range(start, start + len(slab))
        network_gray = np.stack([near[k].gray for k in slab])
        cords = [near[k].cord for k in slab]
        likely_cord = np.stack([one for one in cords if one is not None]) if cords[0] is not None else None
        part = self._part(network_gray, likely_cord, slices)
        here = (slice(None), *part.samples)
        gray, tissues = network_gray[here], [one.tissues for one in near if one.tissues is not None]
        if tissues:
            in_part = [one._replace(inside=one.inside[part.samples]) for one in tissues]
            gray = with_tissue_evidence(gray, in_part, slab, config.tissue_evidence_weight)
        sharp = sharpen(gray, config.outline_probability, config.logit_scale)
        probability = self._on_grid(sharp, slices, part)
        mask = self._on_grid(sharp > threshold, slices, part) > 0.5 if config.binarize_first else probability > threshold
        probability, cord = self._in_cord(probability, None if likely_cord is None else likely_cord[here], slices, part)
        mask &= probability > 0
        corner = (part.voxels[0].start, part.voxels[1].start, slices.start)
        if cord is not None:
            result.cord.append(Block(cord.astype(np.uint8), corner).around(cord))
            result.cord_counts.extend(cord.sum(axis=(0, 1)).tolist())
        result.likely.extend(network_gray > config.outline_probability)
        result.contrasts.extend(one.contrast for k in slab if (one := near[k].tissues) is not None)
        result.mask.append(Block(mask.astype(np.uint8), corner).around(mask))
        result.probability.append(Block(probability.astype(np.float32), corner).around(probability > 0))
        result.counts.extend(mask.sum(axis=(0, 1)).tolist())
        self._keep_network(result, first, network_gray)

    def _part(self, gray: np.ndarray, cord: np.ndarray | None, slices: range) -> _Part:
        """Return the part of a slab's windows that contains all of the network's cord; the whole windows if it predicts none."""
        config = self.network.predictor.config
        unlikely = sharpen(np.array([UNLIKELY], np.float32), config.outline_probability, config.logit_scale)
        if cord is None or self.cord is not None or unlikely.item() >= OUTLINE:
            return _Part((slice(0, gray.shape[1]), slice(0, gray.shape[2])), (self.network.box[0], self.network.box[1]))
        samples = []
        likely = bounding_box((np.maximum(gray, cord) > UNLIKELY).any(axis=0))
        for side, voxel_mm in zip(likely, self.network.scan.spacing_mm, strict=False):
            # With this margin, the part contains all samples of every voxel that depends on a likely sample.
            margin = int(np.ceil(voxel_mm / config.spacing_mm)) + 1
            samples.append(slice(max(side.start - margin, 0), side.stop + margin) if side.stop else side)
        x, y = self.network.windows.voxels_of((samples[0], samples[1]), slices)
        return _Part((samples[0], samples[1]), (_intersection(x, self.network.box[0]), _intersection(y, self.network.box[1])))

    def _in_cord(
        self, probability: np.ndarray, likely_cord: np.ndarray | None, slices: range, part: _Part
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the probability of gray matter, 0 outside the cord, and the network's cord, bool, unless a mask was given.

        `probability` is given in the voxels of a slab, and `likely_cord`, if the network predicts it, in a part of its windows.
        """
        if self.cord is not None:
            x, y = part.voxels
            return keep_inside(probability, self.cord.data[x, y, slices.start : slices.stop] > OUTLINE), None
        if likely_cord is None:
            return probability, None
        cord = self._cord(self._on_grid(likely_cord, slices, part), probability, slices, part)
        return remove_small_components(keep_inside(probability, cord)), cord

    def _cord(self, cord: np.ndarray, gray: np.ndarray, slices: range, part: _Part) -> np.ndarray:
        """Return the cord in a slab. It includes likely gray matter, as the network's outputs may disagree at the contour."""
        likely = np.maximum(cord, gray) > OUTLINE
        if not self.network.is_at_center:
            centers = self.network.location.centers_vx[slices.start : slices.stop] - [side.start for side in part.voxels]
            likely = on_path(likely, centers, self.network.scan.spacing_mm)
        return fill_holes(likely)

    def _keep_network(self, result: GrayMatterSlices, first: int, network: np.ndarray) -> None:
        """Store the network's probability around the mask of a slab, in slices that will probably be used for the confidence.

        `network` is the probability in the windows of the slab; `first` is its first slice, counted from the first with cord.
        """
        filled, spacing_mm = np.array(result.counts) > 0, self.network.scan.spacing_mm
        every = self.network.predictor.config.needs_all_slices  # single slices cannot be predicted again later
        margin = (np.ceil(MARGIN_MM / np.array(spacing_mm[:2])).astype(int) + 1).tolist()
        for k in np.flatnonzero(filled) if every else sampled_slices(filled, spacing_mm[2]):
            if k >= first:
                here = self.network.box[2].start + int(k)
                block = self._block(network[k - first], here)
                result.network[here] = block.around(result.mask[-1].within(block.box) > 0, margin)

    def _block(self, network: np.ndarray, k: int) -> Block:
        """Return the network's probability in the window of slice `k`, resampled to the voxels of the box."""
        whole = _Part((slice(None), slice(None)), self.network.box[:2])
        return Block(self._on_grid(network[None], [k], whole), (self.network.box[0].start, self.network.box[1].start, k))

    def _on_grid(self, channel: np.ndarray, slices: Indices, part: _Part) -> np.ndarray:
        """Return a channel of predictions, given in a part of the windows, resampled to the voxels of that part, float32."""
        values = self.network.windows.restore(channel, slices, part.voxels, part.samples)
        return np.clip(values, 0, 1, out=values)


def _intersection(side: slice, other: slice) -> slice:
    """Return the intersection of two ranges; an empty range at the start of the second if they do not overlap."""
    first, end = max(side.start, other.start), min(side.stop, other.stop)
    return slice(first, end) if first < end else slice(other.start, other.start)
