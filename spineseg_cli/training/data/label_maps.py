"""Label slices for synthetic images: from maps of cord and gray matter, and from scans with a label image of the spine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.slice_windows import windows_around
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.centers import centers_from_slices
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.deformation import smooth_field
from spineseg_cli.synthesis.generator import SPACING_MM, LabelSlice
from spineseg_cli.synthesis.scanner import Tissue

# Side of the windows that are cut from maps, in which a crop of 32 mm can be shifted and rotated without leaving the window.
MAP_WINDOW_MM = 50.0

# Values in the 8-bit label images of the SPIDER data set.
CANAL, VERTEBRA, DISC = 150, 76, 29

# Tissues for voxels without a label, by classes of intensity from dark to bright.
UNLABELED = (Tissue.CORTICAL_BONE, Tissue.MUSCLE, Tissue.ORGAN, Tissue.SKIN, Tissue.EPIDURAL_FAT, Tissue.FAT)


def label_slices(
    cord: Path, gray: Path | None = None, csf: Path | None = None, step: int = 1, spacing_mm: float = SPACING_MM
) -> list[LabelSlice]:
    """Return every `step`-th slice that has cord and gray matter, in voxels of `spacing_mm`, from maps of fractions or masks.

    Without a map of gray matter, slices with cord are taken, and their gray matter is empty. Raises InputError if a map cannot be
    read, and GridMismatchError if the maps are on different grids.
    """
    volumes = {name: read_volume(path, kind="mask") for name, path in (("cord", cord), ("gray", gray), ("csf", csf)) if path}
    turned = {name: to_rpi(volume) for name, volume in volumes.items()}
    for name, volume in turned.items():
        check_same_grid(turned["cord"], volume, str(cord), name)
    centers, slices = centers_on_cord(turned["cord"], turned.get("gray", turned["cord"]), step)
    windows = windows_around(turned["cord"], centers, spacing_mm, round(MAP_WINDOW_MM / spacing_mm))
    cut = {name: windows.extract(volume.data, slices) for name, volume in turned.items()}
    cut.setdefault("gray", np.zeros_like(cut["cord"]))
    canal = [np.clip(c + f, 0, 1) for c, f in zip(cut["cord"], cut["csf"], strict=True)] if csf else [None] * len(slices)
    return [LabelSlice(*parts, spacing_mm=spacing_mm) for parts in zip(cut["cord"], cut["gray"], canal, strict=True)]


def canal_volume(spine: Path) -> Volume:
    """Return the canal in a label image of the spine as a mask in RPI."""
    return _canal_of(to_rpi(read_volume(spine, kind="mask")))


def _canal_of(labels: Volume) -> Volume:
    return labels.with_data((labels.data == CANAL).astype(np.float32))


def spine_slices(image: Path, cord: Path, spine: Path, step: int, spacing_mm: float, side_mm: float) -> list[LabelSlice]:
    """Return every `step`-th axial slice that shows the canal, with or without cord, centered on the canal.

    `image` is a T2w scan, `cord` the mask of its cord, and `spine` the label image of its spine; `spacing_mm` and `side_mm` are
    the in-plane voxel size and the side of the slices. Raises InputError if a file cannot be read, and GridMismatchError if the
    files are on different grids.
    """
    scan = to_rpi(read_volume(image))
    cord_mask, labels = (to_rpi(read_volume(path, kind="mask")) for path in (cord, spine))
    canal = _canal_of(labels)
    for name, volume in (("cord", cord_mask), ("spine", labels)):
        check_same_grid(scan, volume, str(image), name)
    slices = np.flatnonzero(canal.data.any(axis=(0, 1)))[::step]
    windows = windows_around(scan, canal_centers(canal), spacing_mm, round(side_mm / spacing_mm))
    inside = windows.inside(slices)
    tissue = windows.extract_labels(spine_tissues(scan.data, cord_mask.data > 0.5, labels.data), slices)
    tissue = widened(tissue, inside, but=(Tissue.CSF, Tissue.ROOT))[0]
    parts = [
        windows.extract(part.astype(np.float32), slices) * inside for part in (cord_mask.data, (canal.data + cord_mask.data) > 0)
    ]
    none = np.zeros(windows.size, np.float32)
    return [
        LabelSlice(cord, none, canal, around, spacing_mm=spacing_mm) for cord, canal, around in zip(*parts, tissue, strict=True)
    ]


def spine_tissues(scan: np.ndarray, cord: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the tissue of each voxel outside the cord, uint8, from a T2w scan in RPI, its cord, and the labels of its spine.

    Voxels in the canal that are darker than the mean of cord and CSF are nerve roots. Vertebrae and discs are as labeled; all
    other voxels are classified by intensity.
    """
    smooth = ndimage.gaussian_filter(scan.astype(np.float32), (0, 1, 1))
    borders = np.quantile(smooth[::2, ::4, ::4], np.linspace(0, 1, len(UNLABELED) + 1)[1:-1])
    tissue = np.array(UNLABELED, np.uint8)[np.searchsorted(borders, smooth)]
    tissue[labels == VERTEBRA], tissue[labels == DISC] = Tissue.MARROW, Tissue.DISC
    canal = labels == CANAL
    fluid = np.quantile(scan[canal], 0.9)
    dark = canal & (scan < (np.median(scan[cord]) + fluid) / 2)
    tissue[canal] = Tissue.CSF
    tissue[dark] = Tissue.ROOT
    return tissue


def widened(stack: np.ndarray, inside: np.ndarray, but: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return slices in which every second one is continued beyond the scan by random blobs of its own values.

    A sagittal slab is narrower than the body. The other slices keep the repeated edge, which networks see in windows that reach
    beyond a scan.

    `stack` has shape (n, height, width); `inside`, bool, of the same shape, says which samples lie inside the scan; values in
    `but` are not used for the blobs. Returns the slices, and which samples now have valid values.
    """
    rng, stack, inside = np.random.default_rng(0), stack.copy(), inside.copy()
    for index in range(0, len(stack), 2):
        inner, beyond = stack[index][inside[index] & ~np.isin(stack[index], but)], ~inside[index]
        if len(inner) == 0:
            continue
        field = smooth_field((1, *beyond.shape), int(rng.integers(4, 12)), rng)[0]
        rank = ndimage.uniform_filter(field, 3).argsort(axis=None).argsort() / field.size
        stack[index][beyond] = np.quantile(inner, rank.reshape(field.shape)[beyond], method="nearest")
        inside[index] = True
    return stack, inside


def canal_centers(canal: Volume) -> np.ndarray:
    """Return the center of mass of the canal in each slice, shape (nz, 2), voxels, interpolated in empty slices.

    Raises InputError if the canal is empty.
    """
    known = np.flatnonzero(canal.data.any(axis=(0, 1)))
    if len(known) == 0:
        raise InputError(f"expected a canal, value {CANAL}, in the label image of the spine; found none")
    return centers_from_slices(canal.data > 0, known)


def centers_on_cord(cord: Volume, structure: Volume, step: int = 1) -> tuple[np.ndarray, list[int]]:
    """Return the center of the cord in each slice, shape (nz, 2), voxels, and every `step`-th slice with cord and structure.

    Without such a slice, the centers are 0.
    """
    has_both = (cord.data > 0.5).any(axis=(0, 1)) & (structure.data > 0.25).any(axis=(0, 1))
    slices = np.flatnonzero(has_both)[::step]
    centers = centers_from_slices(cord.data > 0.5, slices) if len(slices) else np.zeros((cord.shape[2], 2))
    return centers, list(slices)
