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
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_data import LabeledScans
from spineseg_cli.training.data.label_maps import canal_centers, canal_volume, centers_on_cord, widened
from spineseg_cli.training.data.labeled_scans import LabeledScan


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


def cut_slices(
    scan: LabeledScan, source: LabeledScans, config: TrainingConfig, search: Predictor | None = None
) -> list[ScanSlice]:
    """Return the slices of a scan that have the labels of a configuration, from at least one rater each; or none.

    If labels end because the cord ends, slices beyond are returned too, as slices without cord. Slices are centered on the
    labels; of a scan with a label image of the spine, on its canal, which continues below the cord (slices without canal are left
    out); with `search`, a network, on its prediction of the cord, even where it is wrong. `source` has the options of the scan.

    Raises InputError if a file cannot be read, and GridMismatchError if the labels are on another grid than the image.
    """
    masks = scan.masks.get(config.structure, ()) if config.structure else ()
    image, labels = _read(scan.image, [*([scan.cord] if scan.cord else []), *masks])
    canal = canal_volume(scan.spine) if scan.spine else None
    if canal:
        check_same_grid(image, canal, str(scan.image), str(scan.spine))
    drawn = labels[1:] if scan.cord else labels
    anyone = drawn[0].with_data(np.max([volume.data for volume in drawn], axis=0)) if drawn else labels[0]
    centers, slices = centers_on_cord(labels[0] if scan.cord else anyone, anyone)
    beyond = _slices_beyond(labels, scan.label_coverage or source.label_coverage)
    slices = _chosen(slices, beyond, source, canal)
    if not slices:
        return []
    if canal:
        centers = canal_centers(canal)
    if search:
        centers = search_cord(image, search).centers_vx
    spacing_mm = config.inference.spacing_mm
    windows = windows_around(image, centers, spacing_mm, round(config.data.source_fov_mm / spacing_mm))
    shown = image if config.structure else averaged_thin_slices(image)  # as where the cord is searched for and outlined
    stack, inside = windows.extract(shown.data, slices), windows.inside(slices)
    if canal:
        stack, inside = widened(stack, inside)
    if not config.inference.per_slice:
        stack = standardize(stack, inside, per_slice=False)
    cords = windows.extract(labels[0].data, slices) * windows.inside(slices) if scan.cord else [None] * len(slices)
    cut = [windows.extract(volume.data, slices) for volume in drawn]
    if config.data.raters == "mean" and len(cut) > 1:
        cut = [np.mean(cut, axis=0)]
    return [
        ScanSlice(stack[n], tuple(part[n] for part in cut), cords[n], spacing_mm, k * image.spacing_mm[2], inside[n])
        for n, k in enumerate(slices)
    ]


def _chosen(labeled: list[int], beyond: list[int], source: LabeledScans, canal: Volume | None) -> list[int]:
    """Return the indices of the slices to cut, of labeled ones and of those beyond the labels, which show no cord."""
    slices = labeled[source.trim_slices : len(labeled) - source.trim_slices]
    added = beyond if slices else []
    if canal:  # it continues far below the cord; no more slices without cord are taken than with cord
        added, slices = ([k for k in some if canal.data[:, :, k].any()] for some in (added, slices))
        added = added[:: max(1, round(len(added) / max(len(slices), 1)))]
    slices = added + slices
    if source.max_slices is not None and source.max_slices < len(slices):
        slices = [slices[index] for index in np.linspace(0, len(slices) - 1, source.max_slices).round().astype(int)]
    return slices


def _read(image: Path, masks: Sequence[Path]) -> tuple[Volume, list[Volume]]:
    """Return a scan and its masks in RPI. Raises what `cut_slices` raises."""
    scan, labels = to_rpi(read_volume(image)), []
    for path in masks:
        labels.append(to_rpi(read_volume(path, kind="mask")))
        check_same_grid(scan, labels[-1], str(image), str(path))
    return clip_outliers(scan), labels


def _slices_beyond(labels: Sequence[Volume], label_coverage: str | None) -> list[int]:
    """Return the slices beyond all labels, at the ends at which the labels end because the cord ends."""
    labeled = np.flatnonzero(np.any([(volume.data > 0).any(axis=(0, 1)) for volume in labels], axis=0))
    if not len(labeled):
        return []
    below, above = range(labeled[0]), range(labeled[-1] + 1, labels[0].shape[2])
    sides = {"below": (below,), "above": (above,), "both": (below, above)}
    return [k for side in sides.get(label_coverage or "", ()) for k in side]
