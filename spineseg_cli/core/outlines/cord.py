"""The cord's outline in each axial slice of a scan, fitted to the edge in the image and computed in slabs of slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.cropped import Block, Box, CroppedVolume
from spineseg_cli.core.image.slabs import SliceCache, gaussian_reach, slabs
from spineseg_cli.core.image.slice_windows import SliceWindows
from spineseg_cli.core.image.split_voxels import SplitVoxels
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.inference.probabilities import OUTLINE
from spineseg_cli.core.localization.localizer import SAMPLED_MM
from spineseg_cli.core.localization.location import CordLocation, CordView
from spineseg_cli.core.localization.view import look_again, sees_slices_by_themselves, view_cord
from spineseg_cli.core.outlines.contour import move_sections, read_sections
from spineseg_cli.core.outlines.interpolation import interpolation
from spineseg_cli.core.outlines.moved_section import MovedSection, draw_sections
from spineseg_cli.core.outlines.postprocessing import fill_holes, fullest, keep_inside, on_path
from spineseg_cli.core.outlines.section import Section

# Standard deviation of the blur of probabilities along the cord: thin slices benefit from it, thick ones do not need it.
ALONG_SIGMA_MM = 1.0

# Between two of the slices in which the localizer samples the cord, it is interpolated if its center moves in the plane by no
# more than this from one to the other.
MOST_MOVED_MM = 0.7

# Distance around the outline within which the network's probabilities are kept, for the confidence of the mask.
KEPT_MM = 6.0

# Number of voxels by which the probability in the result extends beyond the mask.
BEYOND_VX = 2


@dataclass(frozen=True)
class Outlined:
    """The cord in a box of an RPI scan, in the n slices from the first to the last one that holds cord."""

    mask: list[Block]  # uint8
    probability: list[Block]  # float32: fraction of each voxel inside the outline, up to two voxels beyond the mask
    network: CroppedVolume  # the same fraction according to the network alone, up to a few mm beyond its outline
    counts: np.ndarray  # shape (n,): number of voxels of the mask in each slice
    # The sections whose outline was fitted to the edge, by slice index, counted from the first of the n slices.
    sections: Mapping[int, MovedSection]

    def of_sections(self, name: str) -> np.ndarray:
        """Return an attribute of the section of each slice, shape (n,); 0 in slices without a section."""
        return np.array([getattr(self.sections[k], name) if k in self.sections else 0.0 for k in range(len(self.counts))])


@dataclass(frozen=True)
class CordOutliner:
    """The outlining of the cord in a scan."""

    scan: Volume  # in RPI
    location: CordLocation  # that of the cord; the network is applied to the slices with cord that its view lacks
    predictor: Predictor  # a network with the output "cord"

    @property
    def predicted_slices(self) -> np.ndarray:
        """The indices of the slices in which the network is applied, increasing; empty if there is no cord."""
        view = self.location.view if self._is_view_complete else None
        return np.flatnonzero(self.location.present) if view is None else view.slices

    @property
    def _is_view_complete(self) -> bool:
        """Whether the location's view already includes all slices with cord."""
        return self.location.view is not None and self.location.view.covers(self.location.present)

    @property
    def windows(self) -> SliceWindows:
        """The network's window in each slice."""
        view = self.location.view
        return self.predictor.config.windows(self.scan, self.location.centers_vx) if view is None else view.windows

    @property
    def box(self) -> Box:
        """The box of voxels that the network sees, from the first to the last slice with cord; empty if there is none."""
        slices = self.location.slices
        if not slices:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        x, y, _ = (slice(*side) for side in self.windows.native_box(self.predicted_slices))
        return x, y, slice(slices.start, slices.stop)

    @cached_property
    def _parts(self) -> SplitVoxels:
        """The subdivision of voxels in which outlines are read and drawn, since large voxels would cut off a narrow cord."""
        return SplitVoxels.of(self.scan.spacing_mm)

    def outline(self, threshold: float | None = None) -> Outlined:
        """Return the cord: the voxels of which a fraction above `threshold` is inside the outline.

        The default is half of a voxel, or, if voxels are so large that they are subdivided, the fullest voxels of each slice, as
        many as match the area of its outline.
        """
        box = self.box
        n, spacing_mm = box[2].stop - box[2].start, self.scan.spacing_mm
        network, sections = self._read(box)
        moved = {section.slice_index: section for section in move_sections(sections, spacing_mm)}
        sections.clear()
        present, centers = self.location.present[box[2]], self._centers(box)
        masks, probabilities, counts = [], [], np.zeros(n, int)
        for first, end in slabs(n):
            low, high = max(first - BEYOND_VX, 0), min(end + BEYOND_VX, n)
            outlined = [moved[k] for k in range(low, high) if k in moved]
            fraction = network.within((box[0], box[1], slice(box[2].start + low, box[2].start + high)))
            self._draw(outlined, fraction, low)
            fraction *= present[low:high]
            cord = fraction > (OUTLINE if threshold is None else threshold)
            if threshold is None and self._parts.are_several:
                here = np.array([section.slice_index - low for section in outlined], int)
                cord[:, :, here] = fullest(fraction[:, :, here])
            kept = fill_holes(on_path(cord, centers[low:high], spacing_mm))
            near = ndimage.binary_dilation(kept, iterations=BEYOND_VX)
            inner = (slice(None), slice(None), slice(first - low, end - low))
            corner = (box[0].start, box[1].start, box[2].start + first)
            masks.append(Block(kept[inner].astype(np.uint8), corner).around(kept[inner]))
            probabilities.append(Block(keep_inside(fraction, near)[inner], corner).around(near[inner]))
            counts[first:end] = kept[inner].sum(axis=(0, 1))
        return Outlined(masks, probabilities, network, counts, moved)

    def _draw(self, sections: Sequence[MovedSection], fraction: np.ndarray, first: int) -> None:
        """Set the fraction of each voxel, shape (nx, ny, n), to that inside the outlines of sections, in slices that have one.

        `first` is the index of the first of the n slices. The array is changed in place, to save the memory of a second one.
        """
        shape = tuple(n * count for n, count in zip(fraction.shape, self._parts.counts, strict=False))
        for slices, inside in draw_sections(sections, shape, self._parts.spacing_mm(self.scan.spacing_mm)):
            fraction[:, :, np.array(slices) - first] = self._parts.mean(inside)

    def _read(self, box: Box) -> tuple[CroppedVolume, list[Section]]:
        """Return the network's fraction of cord in the voxels of the box, and the image's sections around its outline."""
        n, spacing_mm = box[2].stop - box[2].start, self.scan.spacing_mm
        sigma, centers = ALONG_SIGMA_MM / spacing_mm[2], self._centers(box)
        reach, present = gaussian_reach(sigma), self.location.present[box[2]]
        parts, parts_mm = self._parts, self._parts.spacing_mm(spacing_mm)
        weight = np.maximum(ndimage.gaussian_filter1d(present.astype(np.float32), sigma, mode="nearest"), 1e-6)
        margin = np.ceil(KEPT_MM / np.array(spacing_mm[:2])).astype(int).tolist()
        blocks, sections = [], []
        with self._fractions(box) as fractions:
            for first, end in slabs(n):
                low = max(first - reach, 0)
                stack = np.stack(fractions.range(low, min(end + reach, n)), axis=-1)
                smooth = ndimage.gaussian_filter1d(stack, sigma, axis=2, mode="nearest")[:, :, first - low : end - low]
                del stack
                smooth /= weight[first:end]  # the mean over slices with cord alone
                smooth *= present[first:end]
                smooth[(smooth > OUTLINE) & ~on_path(smooth > OUTLINE, parts.points(centers[first:end]), parts_mm)] = 0
                here = (box[0], box[1], slice(box[2].start + first, box[2].start + end))
                read = read_sections(parts.image(self.scan.data[here]), smooth, parts_mm, first=first)
                smooth = parts.mean(smooth)
                # In slices without a section, the network's fraction becomes the result, and all of it is kept.
                without = np.ones(end - first, bool)
                without[[section.slice_index - first for section in read]] = False
                block = Block(smooth, (here[0].start, here[1].start, here[2].start))
                blocks.append(block.around(np.where(without, smooth > 0, smooth > OUTLINE), margin))
                sections += read
        return CroppedVolume(blocks, self.scan, np.float32), sections

    def _fractions(self, box: Box) -> SliceCache[np.ndarray]:
        """Return the network's fraction of cord in each part of a voxel in the box, by slice, float32."""
        x, y, z = box
        by_themselves = sees_slices_by_themselves(self.predictor, self.scan.spacing_mm[2])
        if not self._is_view_complete:
            _ = self.predictor.runtime  # loads the network once, before slices are requested
        at_once = not self._is_view_complete and not by_themselves
        return SliceCache(lambda slices: self._fractions_of(slices + z.start, (x, y)), z.stop - z.start, at_once=at_once)

    def _fractions_of(self, slices: np.ndarray, plane: tuple[slice, slice]) -> list[np.ndarray]:
        """Return the network's fraction of cord in each part of a voxel in some slices, within a range along x and y, float32."""
        parts_plane = self._parts.box(plane)
        fractions = np.zeros((len(slices), *(side.stop - side.start for side in parts_plane)), np.float32)
        with_cord = np.flatnonzero(self.location.present[slices])
        if not len(with_cord):
            return list(fractions)
        used, weights = self._interpolation(slices[with_cord])
        view, config = self._view(used), self.predictor.config
        windows = self._parts.windows(view.windows, self.scan.spacing_mm, config.spacing_mm, config.align)
        restored = windows.restore(view.probability_given_cord, view.slices, parts_plane)
        restored = np.clip(restored, 0, 1, out=restored)
        # Not one product for all slices: on some processors, its rounding depends on how many there are.
        for k, weight in zip(with_cord, weights, strict=True):
            for used_k in np.flatnonzero(weight):
                fractions[k] += weight[used_k] * restored[..., used_k]
        return list(fractions)

    def _interpolation(self, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the slices from which the network's fraction of cord in some slices is interpolated, and their weights."""
        view, spacing_mm, centers = self.location.view, self.scan.spacing_mm, self.location.centers_vx
        if view is None or not sees_slices_by_themselves(self.predictor, spacing_mm[2]):
            return interpolation(slices, slices, np.ones(0, bool))
        known = view.slices[self.location.present[view.slices]]
        apart_mm = np.diff(known) * spacing_mm[2]
        moved_mm = np.hypot(*(np.diff(centers[known], axis=0) * spacing_mm[:2]).T)
        return interpolation(slices, known, (apart_mm <= SAMPLED_MM) & (moved_mm <= MOST_MOVED_MM))

    def _view(self, slices: np.ndarray) -> CordView:
        """Return the network's view of some slices; it is applied to those that the location's view lacks."""
        seen = self.location.view
        known = np.isin(slices, [] if seen is None else seen.slices)
        if seen is not None and known.all():
            return seen.of(slices)
        new = view_cord(self.scan, self.location.centers_vx, slices[~known], self.predictor)
        look_again(self.scan, new, self.location.present, self.predictor)
        return new if seen is None else seen.of(slices[known]).with_other(new)

    def _centers(self, box: Box) -> np.ndarray:
        """Return the cord's center in each slice of the box, in voxel coordinates of the box, shape (n, 2)."""
        return self.location.centers_vx[box[2]] - [side.start for side in box[:2]]
