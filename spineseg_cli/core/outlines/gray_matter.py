"""Gray matter and the cord around it, from a network and the intensities within the cord, computed in slabs of slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from spineseg_cli.core.confidence.features import MARGIN_MM, sampled_slices
from spineseg_cli.core.image.cropped import Block, Box
from spineseg_cli.core.image.packed import PackedMasks
from spineseg_cli.core.image.slabs import SliceCache, slabs
from spineseg_cli.core.image.slice_windows import Indices, SliceWindows
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.segmentation import sharpen
from spineseg_cli.core.localization.location import CordLocation
from spineseg_cli.core.outlines.postprocessing import fill_holes, keep_inside, on_path, remove_small_components
from spineseg_cli.core.outlines.tissue_evidence import NEIGHBORS, TissueSection, tissue_sections, with_tissue_evidence

CORD_THRESHOLD = 0.5

# Samples with less than this probability are neither cord nor gray matter.
UNLIKELY = 0.05

# Neighboring slices that are together no thicker than this are predicted as one, by their mean, ex vivo for example; gray matter
# hardly changes along it. Their tissues are still fitted slice by slice.
PREDICTED_MM = 0.5

# Number of slices that are resampled to the grid of the scan at a time, so that intermediate arrays fit into the CPU's caches.
SLAB_SLICES = 16


class _Seen(NamedTuple):
    """The network's predictions in the window of a slice, shape (height, width), and the tissues fitted to its intensities."""

    gray: np.ndarray
    cord: np.ndarray | None
    tissues: TissueSection | None


class _Part(NamedTuple):
    """The range of window samples that may be cord, along x and y, and that of the voxels of the scan that depend on them."""

    samples: tuple[slice, slice]
    voxels: tuple[slice, slice]


@dataclass(frozen=True)
class GrayMatterSlices:
    """The gray matter in n slices of an RPI scan.

    Parameters
    ----------
    mask, probability, cord : list of Block
        The gray matter, uint8; its probability, float32; and the cord, uint8, if the network predicts it.
    network : dict of int to Block
        The network's own probability of gray matter around the mask, float32, in the slices used for the confidence.
    likely : PackedMasks
        Masks of the gray matter according to the network alone, in its windows.
    contrasts : list of float
        The contrast of gray to white matter in each slice (`TissueSection.contrast`); empty if intensities are not used.
    counts, cord_counts : list of int
        Numbers of voxels of gray matter, and of the cord that the network predicts, in each slice.
    """

    mask: list[Block] = field(default_factory=list)
    probability: list[Block] = field(default_factory=list)
    cord: list[Block] = field(default_factory=list)
    network: dict[int, Block] = field(default_factory=dict)
    likely: PackedMasks = field(default_factory=PackedMasks)
    contrasts: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    cord_counts: list[int] = field(default_factory=list)

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
    """The segmentation of gray matter in the slices of a scan that hold cord.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI.
    location : CordLocation
        The location of the cord.
    predictor : Predictor
        A 2-D network with the output "gray_matter".
    cord : Volume or None
        A mask of the cord on the grid of the scan, to which the gray matter is restricted.
    tta : bool
        Whether to average over augmented copies of the scan.
    """

    scan: Volume
    location: CordLocation
    predictor: Predictor
    cord: Volume | None = None
    tta: bool = False

    @cached_property
    def windows(self) -> SliceWindows:
        """The network's window in each slice: that of the first of the slices that are predicted together."""
        slices = np.arange(self.scan.shape[2])
        centers = self.location.centers_vx[slices - slices % self._together]
        return self.predictor.config.windows(self.scan, None if self._at_center else centers)

    @cached_property
    def _together(self) -> int:
        """The number of neighboring slices that are predicted together."""
        return 1 if self.predictor.config.needs_all_slices else max(1, int(PREDICTED_MM / self.scan.spacing_mm[2]))

    @cached_property
    def box(self) -> Box:
        """The box of voxels that the network sees."""
        x, y, z = (slice(*side) for side in self.windows.native_box(self.location.slices))
        return x, y, z

    def read(self, threshold: float) -> GrayMatterSlices:
        """Return the gray matter, the voxels whose probability exceeds `threshold`."""
        result, config, n = GrayMatterSlices(), self.predictor.config, len(self.location.slices)
        with SliceCache(self._see, n, at_once=config.needs_all_slices) as seen:
            for first, end in slabs(n, SLAB_SLICES):
                low = max(first - NEIGHBORS, 0)
                near = seen.range(low, min(end + NEIGHBORS, n))
                self._add(result, first, near, range(first - low, end - low), threshold)
        return result

    def network(self, k: int) -> Block:
        """Return the network's own probability of gray matter in a slice of the scan, in the voxels of the box."""
        (prediction,) = self._predict(np.array([k]))[1]
        return self._block(prediction[..., self.predictor.channel("gray_matter")], k)

    def _predict(self, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the windows of n slices in increasing order, shape (n, height, width), and the network's predictions for them.

        These have the shape (n, height, width, channels).
        """
        together, distance_mm = self._together, self.scan.spacing_mm[2]
        firsts = np.unique(slices // together) * together
        read = np.concatenate([np.arange(first, min(first + together, self.scan.shape[2])) for first in firsts])
        cut = self.windows.extract(self.scan.data, read)
        starts = np.searchsorted(read, firsts)
        counts = np.diff([*starts, len(read)])
        means = cut if together == 1 else np.add.reduceat(cut, starts) / counts[:, None, None].astype(np.float32)
        prediction = self.predictor.predict_cut(means, self.windows.inside(firsts), distance_mm, tta=self.tta)
        wanted = np.searchsorted(read, slices)
        return cut[wanted], prediction[np.searchsorted(firsts, slices // together * together)]

    def _add(self, result: GrayMatterSlices, first: int, near: list[_Seen], slab: range, threshold: float) -> None:
        """Add a slab of slices to the result.

        `first` is the slab's first slice, counted from the first with cord; `near` holds the predictions of its slices and of
        their neighbors; `slab` are the indices of its slices in `near`.
        """
        config, start = self.predictor.config, self.box[2].start + first
        slices = range(start, start + len(slab))
        alone = np.stack([near[k].gray for k in slab])
        cords = [near[k].cord for k in slab]
        likely_cord = np.stack([one for one in cords if one is not None]) if cords[0] is not None else None
        part = self._part(alone, likely_cord, slices)
        here = (slice(None), *part.samples)
        gray, tissues = alone[here], [one.tissues for one in near if one.tissues is not None]
        if tissues:
            in_part = [one._replace(inside=one.inside[part.samples]) for one in tissues]
            gray = with_tissue_evidence(gray, in_part, slab, config.tissue_evidence_weight)
            result.contrasts.extend(tissues[k].contrast for k in slab)
        sharp = sharpen(gray, config.outline_probability, config.logit_scale)
        probability = self._on_grid(sharp, slices, part)
        mask = self._on_grid(sharp > threshold, slices, part) > 0.5 if config.binarize_first else probability > threshold
        x, y = part.voxels
        corner = (x.start, y.start, slices.start)
        if self.cord is not None:
            probability = keep_inside(probability, self.cord.data[x, y, slices.start : slices.stop] > CORD_THRESHOLD)
        elif likely_cord is not None:
            cord = self._cord(self._on_grid(likely_cord[here], slices, part), probability, slices, part)
            probability = remove_small_components(keep_inside(probability, cord))
            result.cord.append(Block(cord.astype(np.uint8), corner).around(cord))
            result.cord_counts.extend(cord.sum(axis=(0, 1)).tolist())
        mask &= probability > 0
        result.likely.extend(alone > config.outline_probability)
        result.mask.append(Block(mask.astype(np.uint8), corner).around(mask))
        result.probability.append(Block(probability.astype(np.float32), corner).around(probability > 0))
        result.counts.extend(mask.sum(axis=(0, 1)).tolist())
        self._keep_network(result, first, alone)

    def _see(self, indices: np.ndarray) -> list[_Seen]:
        """Return the predictions and tissues of some slices, whose indices count from the first slice with cord."""
        slices = indices + self.location.slices.start
        cut, prediction = self._predict(slices)
        gray = np.ascontiguousarray(prediction[..., self.predictor.channel("gray_matter")])
        if "cord" not in self.predictor.outputs:
            return [_Seen(one, None, None) for one in gray]
        cord, config = np.ascontiguousarray(prediction[..., self.predictor.channel("cord")]), self.predictor.config
        tissues = tissue_sections(gray, cord, cut, config.spacing_mm) if config.tissue_evidence_weight else [None] * len(gray)
        return [_Seen(*seen) for seen in zip(gray, cord, tissues, strict=True)]

    def _part(self, gray: np.ndarray, cord: np.ndarray | None, slices: range) -> _Part:
        """Return the part of a slab's windows that contains all of the network's cord; the whole windows if it predicts none."""
        config = self.predictor.config
        unlikely = sharpen(np.array([UNLIKELY], np.float32), config.outline_probability, config.logit_scale)
        if cord is None or self.cord is not None or unlikely.item() >= CORD_THRESHOLD:
            return _Part((slice(0, gray.shape[1]), slice(0, gray.shape[2])), (self.box[0], self.box[1]))
        likely = (np.maximum(gray, cord) > UNLIKELY).any(axis=0)
        samples = []
        for axis in (0, 1):
            filled = np.flatnonzero(likely.any(axis=1 - axis))
            # With this margin, the part contains all samples of every voxel that depends on a likely sample.
            margin = int(np.ceil(self.scan.spacing_mm[axis] / config.spacing_mm)) + 1
            samples.append(slice(max(filled[0] - margin, 0), filled[-1] + 1 + margin) if len(filled) else slice(0, 0))
        x, y = self.windows.voxels_of((samples[0], samples[1]), slices)
        return _Part((samples[0], samples[1]), (_shared(x, self.box[0]), _shared(y, self.box[1])))

    def _cord(self, cord: np.ndarray, gray: np.ndarray, slices: range, part: _Part) -> np.ndarray:
        """Return the cord in a slab. It includes likely gray matter, as the network's outputs may disagree at the contour."""
        likely = np.maximum(cord, gray) > CORD_THRESHOLD
        if not self._at_center:
            centers = self.location.centers_vx[slices.start : slices.stop] - [side.start for side in part.voxels]
            likely = on_path(likely, centers, self.scan.spacing_mm)
        return fill_holes(likely)

    def _keep_network(self, result: GrayMatterSlices, first: int, network: np.ndarray) -> None:
        """Store the network's probability around the mask of a slab, in slices that will probably be used for the confidence.

        `network` is the probability in the windows of the slab; `first` is its first slice, counted from the first with cord.
        """
        filled, spacing_mm = np.array(result.counts) > 0, self.scan.spacing_mm
        every = self.predictor.config.needs_all_slices  # single slices cannot be predicted again later
        margin = (np.ceil(MARGIN_MM / np.array(spacing_mm[:2])).astype(int) + 1).tolist()
        for k in np.flatnonzero(filled) if every else sampled_slices(filled, spacing_mm[2]):
            if k >= first:
                here = self.box[2].start + int(k)
                block = self._block(network[k - first], here)
                result.network[here] = block.around(result.mask[-1].within(block.box) > 0, margin)

    def _block(self, network: np.ndarray, k: int) -> Block:
        """Return the network's probability in the window of slice `k`, resampled to the voxels of the box."""
        whole = _Part((slice(None), slice(None)), self.box[:2])
        return Block(self._on_grid(network[None], [k], whole), (self.box[0].start, self.box[1].start, k))

    @property
    def _at_center(self) -> bool:
        """Whether the windows are at the image's center."""
        return self.location.source == "image_center"

    def _on_grid(self, channel: np.ndarray, slices: Indices, part: _Part) -> np.ndarray:
        """Return a channel of predictions, given in a part of the windows, resampled to the voxels of that part, float32."""
        values = self.windows.restore(channel, slices, part.voxels, part.samples)
        return np.clip(values, 0, 1, out=values)


def _shared(side: slice, other: slice) -> slice:
    """Return the intersection of two ranges; an empty range at the start of the second if they do not overlap."""
    first, end = max(side.start, other.start), min(side.stop, other.stop)
    return slice(first, end) if first < end else slice(other.start, other.start)
