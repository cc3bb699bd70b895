"""Example subjects: phantoms with ground truth in a BIDS folder, to try every command without any data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spineseg_cli.core.files import write_json
from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.phantom import Phantom, make_phantom

MAX_SUBJECTS = 99


@dataclass(frozen=True)
class _Recipe:
    region: tuple[float, float]
    spacing_mm: tuple[float, float, float]
    fov_mm: tuple[float, float]
    size_scale: float
    axes: str  # orientation of the file, in nibabel's axis codes


# An adult, a tall adult and a child; further subjects repeat these with other seeds. The second is stored in another
# orientation, as the scans of some scanners are.
_RECIPES = (
    _Recipe((20.0, 90.0), (0.5, 0.5, 5.0), (80.0, 80.0), 1.0, "LAS"),
    _Recipe((25.0, 85.0), (0.4, 0.4, 4.0), (96.0, 88.0), 1.08, "LPI"),
    _Recipe((12.0, 60.0), (0.35, 0.35, 3.0), (64.0, 64.0), 0.75, "LAS"),
)


def write_example_subjects(folder: str | Path, n: int = 3, seed: int = 0) -> list[Path]:
    """Write phantoms and their ground truth as a small BIDS data set.

    A subject has the image `sub-01/anat/sub-01_T2star.nii.gz` and, under `derivatives/labels/sub-01/anat/`, the masks
    `sub-01_T2star_label-SC_seg.nii.gz` and `sub-01_T2star_label-GM_seg.nii.gz` and the centerline
    `sub-01_T2star_label-centerline.nii.gz` (one voxel per slice with cord). Existing files are replaced.

    Raises InputError if `n` is out of its range, or the folder cannot be written to.

    `folder` is created if it does not exist. Of `n` subjects, 1 to 99, the first three differ in size, voxel size and
    orientation. The same seed gives the same bytes. Returns the images, without their masks.
    """
    if not 1 <= n <= MAX_SUBJECTS:
        raise InputError(f"expected 1 to {MAX_SUBJECTS} example subjects; got {n}: ask for fewer or more")
    folder = Path(folder)
    write_json(folder / "dataset_description.json", _description("raw", "spineseg example subjects"))
    labels = folder / "derivatives" / "labels"
    write_json(labels / "dataset_description.json", _description("derivative", "truth of the phantoms"))
    return [_write_subject(folder, index, seed) for index in range(n)]


def _write_subject(folder: Path, index: int, seed: int) -> Path:
    recipe = _RECIPES[index % len(_RECIPES)]
    phantom = make_phantom(
        contrast="t2s",
        region=recipe.region,
        spacing_mm=recipe.spacing_mm,
        fov_mm=recipe.fov_mm,
        size_scale=recipe.size_scale,
        offset_mm=((-1) ** index * 2.0, -4.0),
        seed=seed + index,
    )
    subject = f"sub-{index + 1:02d}"
    stem = f"{subject}_T2star"
    image_path = folder / subject / "anat" / f"{stem}.nii.gz"
    truth = folder / "derivatives" / "labels" / subject / "anat"
    write_volume(image_path, _stored_as(phantom.image, recipe.axes), np.float32)
    labels = {"SC_seg": phantom.cord, "GM_seg": phantom.gray_matter, "centerline": _centerline_volume(phantom)}
    for label, volume in labels.items():
        write_volume(truth / f"{stem}_label-{label}.nii.gz", _stored_as(volume, recipe.axes), np.uint8)
    return image_path


def _centerline_volume(phantom: Phantom) -> Volume:
    """Return a uint8 mask of the voxel that contains the centerline at the middle of each slice with cord."""
    voxel = nib.affines.apply_affine(np.linalg.inv(phantom.cord.affine), phantom.centerline_mm)
    mask = np.zeros(phantom.cord.shape, np.uint8)
    for k in np.flatnonzero(phantom.cord.data.any(axis=(0, 1))):
        nearest = voxel[np.abs(voxel[:, 2] - k).argmin()]
        i, j = np.round(nearest[:2]).astype(int)
        if 0 <= i < mask.shape[0] and 0 <= j < mask.shape[1]:
            mask[i, j, k] = 1
    return phantom.cord.with_data(mask)


def _stored_as(volume: Volume, axes: str) -> Volume:
    """Return a volume with its voxel axes reordered and flipped to nibabel's axis codes `axes`."""
    turn = nib.orientations.ornt_transform(nib.io_orientation(volume.affine), nib.orientations.axcodes2ornt(axes))
    data = nib.orientations.apply_orientation(volume.data, turn)
    return Volume(data, volume.affine @ nib.orientations.inv_ornt_aff(turn, volume.shape))


def _description(kind: str, name: str) -> dict[str, Any]:
    made_by = [{"Name": "spineseg"}]
    return {"Name": name, "BIDSVersion": "1.8.0", "DatasetType": kind, "License": "CC0", "GeneratedBy": made_by}
