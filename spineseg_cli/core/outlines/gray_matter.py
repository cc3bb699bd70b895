"""Gray matter, and the cord about it, as a network and the intensities within the cord show them, a slab of slices at a time."""

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
from spineseg_cli.core.inference.postprocessing import fill_holes, keep_inside, on_path, remove_small_components
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.segmentation import sharpen
from spineseg_cli.core.inference.tissue_evidence import NEIGHBORS, TissueSection, tissue_sections, with_tissue_evidence
from spineseg_cli.core.localization.location import CordLocation

CORD_THRESHOLD = 0.5


class _Seen(NamedTuple):
    """What a network predicts in the window of a slice, shape (height, width, channels), and what the intensities say there."""

    prediction: np.ndarray
    tissues: TissueSection | None


@dataclass(frozen=True)
class GrayMatterSlices:
    """What is found in n slices of an RPI scan.

    Parameters
    ----------
    mask, probability, cord : list of Block
        The gray matter, uint8; its probability, float32; and the cord, uint8, where the network predicts it.
    network : dict of int to Block
        The network's own probability of gray matter around the mask, float32, in the slices that confidence is taken from.
    likely : PackedMasks
        Where the network alone sees gray matter, in its windows.
    contrasts : list of float
        How far gray matter is brighter than white matter in each slice; empty where the intensities were not looked at.
    counts, cord_counts : list of int
        The voxels of gray matter, and of the cord that the network predicts, in each slice.
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
        """Drop the gray matter above the lowest `count` slices."""
        _end(self.mask + self.probability, count)
        self.counts[count:] = [0] * len(self.counts[count:])

    def end_cord(self, count: int) -> None:
        """Drop the cord, and its gray matter, above the lowest `count` slices."""
        _end(self.cord, count)
        self.end_gray_matter(count)


def _end(blocks: list[Block], count: int) -> None:
    for block in blocks:
        block.data[:, :, max(blocks[0].corner[2] + count - block.corner[2], 0) :] = 0


@dataclass(frozen=True)
class GrayMatterReader:
    """What reads the gray matter of a scan in the slices that hold cord.

    Parameters
    ----------
    scan : Volume
        The scan, in RPI.
    location : CordLocation
        Where the cord is.
    predictor : Predictor
        A 2-D network with the output "gray_matter".
    cord : Volume or None
        A mask of the cord on the grid of the scan, which gray matter does not leave.
    tta : bool
        Average over augmented copies of the scan.
    """

    scan: Volume
    location: CordLocation
    predictor: Predictor
    cord: Volume | None = None
    tta: bool = False

    @cached_property
    def windows(self) -> SliceWindows:
        """What the network sees of each slice."""
        return self.predictor.config.windows(self.scan, None if self._at_center else self.location.centers_vx)

    @cached_property
    def box(self) -> Box:
        """The voxels that the network sees."""
        x, y, z = (slice(*side) for side in self.windows.native_box(self.location.slices))
        return x, y, z

    def read(self, threshold: float) -> GrayMatterSlices:
        """Return the gray matter: voxels of a probability above `threshold`."""
        result, config, n = GrayMatterSlices(), self.predictor.config, len(self.location.slices)
        with SliceCache(self._see, n, at_once=config.needs_all_slices) as seen:
            for first, end in slabs(n):
                low = max(first - NEIGHBORS, 0)
                near = seen.range(low, min(end + NEIGHBORS, n))
                self._add(result, first, near, range(first - low, end - low), threshold)
        return result

    def network(self, k: int) -> Block:
        """Return the network's own probability of gray matter in a slice of the scan, in the voxels of the box."""
        prediction = self._predict([k])[..., self.predictor.channel("gray_matter")]
        return Block(self._on_grid(prediction, [k]), (self.box[0].start, self.box[1].start, k))

    def _add(self, result: GrayMatterSlices, first: int, near: list[_Seen], slab: range, threshold: float) -> None:
        """Add a slab, which begins with slice `first` of those with cord; its slices are the `slab` among those `near`."""
        config, (x, y, z) = self.predictor.config, self.box
        slices = range(z.start + first, z.start + first + len(slab))
        prediction = np.stack([near[k].prediction for k in slab])
        alone = prediction[..., self.predictor.channel("gray_matter")]
        gray, tissues = alone, [one.tissues for one in near if one.tissues is not None]
        if tissues:
            gray = with_tissue_evidence(alone, tissues, slab, config.tissue_evidence_weight)
            result.contrasts.extend(tissues[k].contrast for k in slab)
        gray = sharpen(gray, config.outline_probability, config.logit_scale)
        probability = self._on_grid(gray, slices)
        mask = self._on_grid(gray > threshold, slices) > 0.5 if config.binarize_first else probability > threshold
        corner = (x.start, y.start, slices.start)
        if self.cord is not None:
            probability = keep_inside(probability, self.cord.data[x, y, slices.start : slices.stop] > CORD_THRESHOLD)
        elif "cord" in self.predictor.outputs:
            cord = self._cord(prediction[..., self.predictor.channel("cord")], probability, slices)
            probability = remove_small_components(keep_inside(probability, cord))
            result.cord.append(Block(cord.astype(np.uint8), corner).around(cord))
            result.cord_counts.extend(cord.sum(axis=(0, 1)).tolist())
        mask &= probability > 0
        result.likely.extend(alone > config.outline_probability)
        result.mask.append(Block(mask.astype(np.uint8), corner).around(mask))
        result.probability.append(Block(probability.astype(np.float32), corner).around(probability > 0))
        result.counts.extend(mask.sum(axis=(0, 1)).tolist())
        self._keep_network(result, first, mask, self._on_grid(alone, slices))

    def _see(self, indices: np.ndarray) -> list[_Seen]:
        """Return what is seen in some of the slices with cord."""
        slices = indices + self.location.slices.start
        prediction = self._predict(slices)
        config, outputs = self.predictor.config, self.predictor.outputs
        if "cord" not in outputs or not config.tissue_evidence_weight:
            return [_Seen(one, None) for one in prediction]
        gray, cord = (prediction[..., self.predictor.channel(output)] for output in ("gray_matter", "cord"))
        tissues = tissue_sections(gray, cord, self.windows.extract(self.scan.data, slices), config.spacing_mm)
        return [_Seen(*pair) for pair in zip(prediction, tissues, strict=True)]

    def _cord(self, prediction: np.ndarray, gray: np.ndarray, slices: range) -> np.ndarray:
        """Return the cord in a slab; where the network's two outputs differ at the contour, sure gray matter counts as cord."""
        likely = np.maximum(self._on_grid(prediction, slices), gray) > CORD_THRESHOLD
        if not self._at_center:
            centers = self.location.centers_vx[slices.start : slices.stop] - [side.start for side in self.box[:2]]
            likely = on_path(likely, centers, self.scan.spacing_mm)
        return fill_holes(likely)

    def _keep_network(self, result: GrayMatterSlices, first: int, mask: np.ndarray, network: np.ndarray) -> None:
        """Keep what the network says around the mask of a slab in the slices that confidence will be taken from, or most."""
        filled, spacing_mm = np.array(result.counts) > 0, self.scan.spacing_mm
        every = self.predictor.config.needs_all_slices  # then no slice can be predicted again
        margin = (np.ceil(MARGIN_MM / np.array(spacing_mm[:2])).astype(int) + 1).tolist()
        for k in np.flatnonzero(filled) if every else sampled_slices(filled, spacing_mm[2]):
            if k >= first:
                here = self.box[2].start + int(k)
                block = Block(network[:, :, k - first : k - first + 1], (self.box[0].start, self.box[1].start, here))
                result.network[here] = block.around(mask[:, :, k - first : k - first + 1], margin)

    @property
    def _at_center(self) -> bool:
        return self.location.source == "image_center"

    def _predict(self, slices: Indices) -> np.ndarray:
        return self.predictor.predict(self.scan, self.windows, slices, tta=self.tta)

    def _on_grid(self, channel: np.ndarray, slices: Indices) -> np.ndarray:
        """Return a channel of predictions on the grid of the scan, in the box, float32."""
        return np.clip(self.windows.restore(channel, slices, self.box[:2]), 0, 1)
