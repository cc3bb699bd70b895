"""Training material: label maps and labelled scans, cut into windows by the same code that the commands use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spineseg_cli.core.cropping import SliceWindows, windows_around
from spineseg_cli.core.nifti import check_same_grid, read_volume
from spineseg_cli.core.orientation import to_rpi
from spineseg_cli.core.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.generator import SPACING_MM, LabelSlice

# Large enough for a 32 mm crop to be shifted and rotated in, without its corners leaving the window.
WINDOW = 200


@dataclass(frozen=True)
class ScanSlice:
    """An axial slice of a scan with its labels, shape (200, 200) at 0.25 mm, centred on the cord."""

    image: np.ndarray
    labels: LabelSlice


def label_slices(cord: Path, gray: Path, csf: Path | None = None, step: int = 1) -> list[LabelSlice]:
    """Return every `step`-th slice that has cord and gray matter, from maps of fractions (or masks) on one grid.

    Raises
    ------
    InputError
        If a map cannot be read.
    GridMismatchError
        If the maps are on different grids.
    """
    volumes = {name: read_volume(path, kind="mask") for name, path in (("cord", cord), ("gray", gray), ("csf", csf)) if path}
    for name, volume in volumes.items():
        check_same_grid(volumes["cord"], volume, str(cord), name)
    turned = {name: to_rpi(volume) for name, volume in volumes.items()}
    windows, slices = _windows_on_cord(turned["cord"], turned["gray"], step)
    cut = {name: _cut(windows, volume, slices) for name, volume in turned.items()}
    canal = [np.clip(c + f, 0, 1) for c, f in zip(cut["cord"], cut["csf"], strict=True)] if csf else [None] * len(slices)
    return [LabelSlice(*parts) for parts in zip(cut["cord"], cut["gray"], canal, strict=True)]


def phantom_slices(subjects: int, step_mm: float = 8.0) -> list[list[LabelSlice]]:
    """Return axial sections of whole cords, C1 to conus, from `subjects` phantoms of adult and child sizes."""
    from spineseg_cli.synthesis.phantom import make_phantom

    found = []
    for seed in range(subjects):
        phantom = make_phantom(
            region="whole",
            spacing_mm=(SPACING_MM, SPACING_MM, step_mm),
            fov_mm=(60.0, 60.0),
            size_scale=0.75 + 0.1 * (seed % 5),
            seed=seed,
        )
        windows, slices = _windows_on_cord(phantom.cord, phantom.gray_matter, 1)
        cord, gray = _cut(windows, phantom.cord, slices), _cut(windows, phantom.gray_matter, slices)
        found.append([LabelSlice(*parts) for parts in zip(cord, gray, strict=True)])
    return found


def scan_slices(image: Path, cord: Path, gray: Path) -> list[ScanSlice]:
    """Return every labelled slice of a scan. Raises as `label_slices` does."""
    volumes = [read_volume(image), read_volume(cord, kind="mask"), read_volume(gray, kind="mask")]
    for path, volume in zip((cord, gray), volumes[1:], strict=True):
        check_same_grid(volumes[0], volume, str(image), str(path))
    scan, cord_rpi, gray_rpi = (to_rpi(volume) for volume in volumes)
    windows, slices = _windows_on_cord(cord_rpi, gray_rpi, 1)
    parts = zip(*(_cut(windows, volume, slices) for volume in (scan, cord_rpi, gray_rpi)), strict=True)
    return [ScanSlice(image_slice, LabelSlice(c, g)) for image_slice, c, g in parts]


def find_files(root: Path, pattern: str, leave_out: Iterable[str] = ()) -> list[Path]:
    """Return the files under `root` that match the glob `pattern`, in order, but for those whose path holds a left-out name.

    Raises InputError if nothing matches `pattern`.
    """
    found = sorted(root.glob(pattern))
    if not found:
        raise InputError(
            f"expected training files matching {pattern} under {root}; found none: set SPINESEG_SHARED to the data's folder"
        )
    return [path for path in found if not any(name in str(path.relative_to(root)) for name in leave_out)]


def _windows_on_cord(cord: Volume, gray: Volume, step: int) -> tuple[SliceWindows, list[int]]:
    has_both = (cord.data > 0.5).any(axis=(0, 1)) & (gray.data > 0.25).any(axis=(0, 1))
    slices = list(np.flatnonzero(has_both)[::step])
    centres = np.zeros((cord.shape[2], 2))
    for k in slices:
        centres[k] = np.argwhere(cord.data[:, :, k] > 0.5).mean(axis=0)
    return windows_around(cord, centres, SPACING_MM, WINDOW), slices


def _cut(windows: SliceWindows, volume: Volume, slices: list[int]) -> np.ndarray:
    return windows.extract(volume.data, slices)
