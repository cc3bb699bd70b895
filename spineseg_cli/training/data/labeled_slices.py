"""Labeled scans, cut into windows of axial slices by the same code as in the commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.intensity import clip_outliers
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.slice_windows import windows_around
from spineseg_cli.core.image.standardization import standardize
from spineseg_cli.core.image.thin_slices import averaged_thin_slices
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.search import search_cord
from spineseg_cli.synthesis.generator import SPACING_MM
from spineseg_cli.tasks.task import CORD_LABEL
from spineseg_cli.training.data.label_maps import canal_centers, canal_volume, centers_on_cord, widened

# Default side of the slices, larger than that of label maps, since surroundings teach the network what is not cord.
SOURCE_FOV_MM = 80.0


@dataclass(frozen=True)
class ScanSlice:
    """An axial slice of a scan with its labels, centered on the labeled cord or on the cord that a network has found."""

    image: np.ndarray  # shape (n, n): intensities
    # Each of shape (n, n): the masks of a structure in the cord, such as gray matter, one for each rater; empty
    # if only the cord is labeled.
    structure: tuple[np.ndarray, ...]
    # shape (n, n): the mask of the cord. If it is None, only the structure is labeled, and the slice is centered on it.
    cord: np.ndarray | None = None
    spacing_mm: float = SPACING_MM
    height_mm: float = 0.0  # the height of the slice above the most inferior slice of the scan
    # bool, shape (n, n): which samples lie inside the scan; the others repeat its edge. By default all lie inside.
    inside: np.ndarray | None = None

    def moved(self, shift_mm: Sequence[float]) -> ScanSlice:
        """Return the slice with its center moved along both axes, rounded to whole samples; the edge is repeated."""
        steps = np.round(np.asarray(shift_mm) / self.spacing_mm).astype(int)
        indices = np.ix_(*(np.clip(np.arange(n) + step, 0, n - 1) for n, step in zip(self.image.shape, steps, strict=True)))
        cord, inside = (None if part is None else part[indices] for part in (self.cord, self.inside))
        structure = tuple(drawn[indices] for drawn in self.structure)
        return replace(self, image=self.image[indices], structure=structure, cord=cord, inside=inside)

    def label(self, output: str, rater: int = 0) -> np.ndarray:
        """Return the mask of the cord if `output` is "cord", otherwise the mask of the structure by one rater."""
        if output != CORD_LABEL.key:
            return self.structure[rater]
        assert self.cord is not None
        return self.cord


@dataclass(frozen=True)
class SliceCutter:
    """The options by which labeled slices are cut from scans."""

    raters: str = "each"  # "each" or "mean": whether the mask of each rater is kept, or their mean as one soft label
    per_slice: bool = True  # if False, the stack of windows is standardized as a whole; otherwise intensities are not changed
    max_slices: int | None = None  # the largest number of slices, evenly spaced among the labeled ones
    # In-plane voxel size and side of the slices.
    spacing_mm: float = SPACING_MM
    side_mm: float = SOURCE_FOV_MM
    # A network on whose prediction of the cord slices are centered, even where it is wrong. By default they are centered on the
    # labels.
    search: Predictor | None = None
    trim_slices: int = 0  # the number of labeled slices that are left out at each end, where scans may be distorted
    average_thin: bool = False  # whether thin slices are averaged along the cord, as where the cord is searched for and outlined

    def cut(
        self,
        image: Path,
        cord: Path | None,
        structure: Path | Sequence[Path],
        *,
        label_coverage: str | None = None,
        spine: Path | None = None,
    ) -> list[ScanSlice]:
        """Return the slices of a scan that have all kinds of labels, from at least one rater each.

        Raises InputError if a file cannot be read, and GridMismatchError if the labels are on another grid than the image.

        Parameters
        ----------
        structure : Path or sequence of Path
            Masks or fractions of a structure in the cord, one for each rater; may be empty if there is a mask of the cord.
        label_coverage : {"above", "below", "both"}, optional
            The ends at which the labels end because the cord ends. Slices beyond are returned too, as slices without cord.
        spine : Path, optional
            A label image of the spine (see `training.data.label_maps`). Slices are then centered on its canal, which continues
            below the cord, and slices without canal are left out.
        """
        masks = [structure] if isinstance(structure, Path) else list(structure)
        scan, labels = _read(image, ([cord] if cord else []) + masks)
        canal = canal_volume(spine) if spine else None
        if canal:
            check_same_grid(scan, canal, str(image), str(spine))
        drawn = labels[1:] if cord else labels
        anyone = drawn[0].with_data(np.max([volume.data for volume in drawn], axis=0)) if drawn else labels[0]
        centers, slices = centers_on_cord(labels[0] if cord else anyone, anyone)
        slices = self._chosen(slices, labels, label_coverage, canal)
        if not slices:
            return []
        if canal:
            centers = canal_centers(canal)
        if self.search:
            centers = search_cord(scan, self.search).centers_vx
        windows = windows_around(scan, centers, self.spacing_mm, round(self.side_mm / self.spacing_mm))
        shown = averaged_thin_slices(scan) if self.average_thin else scan
        stack, inside = windows.extract(shown.data, slices), windows.inside(slices)
        if canal:
            stack, inside = widened(stack, inside)
        if not self.per_slice:
            stack = standardize(stack, inside, per_slice=False)
        cords = windows.extract(labels[0].data, slices) * windows.inside(slices) if cord else [None] * len(slices)
        cut = [windows.extract(volume.data, slices) for volume in drawn]
        if self.raters == "mean" and len(cut) > 1:
            cut = [np.mean(cut, axis=0)]
        return [
            ScanSlice(stack[n], tuple(part[n] for part in cut), cords[n], self.spacing_mm, k * scan.spacing_mm[2], inside[n])
            for n, k in enumerate(slices)
        ]

    def _chosen(
        self, labeled: list[int], labels: Sequence[Volume], label_coverage: str | None, canal: Volume | None
    ) -> list[int]:
        """Return the indices of the slices to cut: labeled ones, and those beyond the labels that show no cord."""
        slices = labeled[self.trim_slices : len(labeled) - self.trim_slices]
        added = _slices_beyond(labels, label_coverage) if slices else []
        if canal:  # it continues far below the cord; no more slices without cord are taken than with cord
            added, slices = ([k for k in some if canal.data[:, :, k].any()] for some in (added, slices))
            added = added[:: max(1, round(len(added) / max(len(slices), 1)))]
        slices = added + slices
        if self.max_slices is not None and self.max_slices < len(slices):
            slices = [slices[index] for index in np.linspace(0, len(slices) - 1, self.max_slices).round().astype(int)]
        return slices


def _read(image: Path, masks: Sequence[Path]) -> tuple[Volume, list[Volume]]:
    """Return a scan and its masks in RPI. Raises what `SliceCutter.cut` raises."""
    scan, labels = to_rpi(read_volume(image)), []
    for path in masks:
        labels.append(to_rpi(read_volume(path, kind="mask")))
        check_same_grid(scan, labels[-1], str(image), str(path))
    return clip_outliers(scan), labels


def _slices_beyond(labels: Sequence[Volume], label_coverage: str | None) -> list[int]:
    """Return the slices beyond all labels, at the ends at which the labels end because the cord ends."""
    labeled = np.flatnonzero(np.any([(volume.data > 0).any(axis=(0, 1)) for volume in labels], axis=0))
    below, above = range(labeled[0]), range(labeled[-1] + 1, labels[0].shape[2])
    sides = {"below": (below,), "above": (above,), "both": (below, above)}
    return [k for side in sides.get(label_coverage or "", ()) for k in side]
