"""Write docs/images/result.png: phantoms segmented by the commands' functions, as the README shows them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image
from scipy import ndimage

from spineseg_cli import segment_cord, segment_gray_matter
from spineseg_cli.synthesis.phantom import make_phantom

PICTURE = Path(__file__).resolve().parent / "images" / "result.png"
CORD, GRAY_MATTER = (80, 200, 255), (255, 80, 60)
HEIGHT = 420


def outlined(image: np.ndarray, masks: list[tuple[np.ndarray, tuple[int, int, int]]], factor: int) -> np.ndarray:
    """Return a picture of a plane, enlarged, with the outlines of masks on it, each in its color."""
    shown = np.clip(image / np.percentile(image, 99.5), 0, 1) * 255
    picture = np.repeat(np.kron(shown, np.ones((factor, factor)))[..., None], 3, axis=-1)
    for mask, color in masks:
        large = np.kron(mask > 0, np.ones((factor, factor))) > 0
        picture[large & ~ndimage.binary_erosion(large)] = color
    return picture.astype(np.uint8)


def sagittal_view() -> np.ndarray:
    """Return a whole spine along its own curve, with the cord's outline."""
    phantom = make_phantom(contrast="t2", region="whole", spacing_mm=(0.8, 0.8, 1.0), fov_mm=(160, 120), noise=0.05, seed=7)
    scan = phantom.image.data
    cord = np.asanyarray(segment_cord(nib.Nifti1Image(scan, phantom.image.affine)).mask.dataobj)
    centers = np.array([ndimage.center_of_mass(phantom.cord.data[:, :, k]) for k in range(scan.shape[2])])
    known = np.isfinite(centers[:, 0])
    columns = np.interp(np.arange(len(centers)), np.flatnonzero(known), centers[known, 0]).round().astype(int)
    planes = [np.stack([volume[x, :, k] for k, x in enumerate(columns)])[::-1] for volume in (scan, cord)]
    return outlined(planes[0], [(planes[1], CORD)], 1)


def axial_views() -> list[np.ndarray]:
    """Return axial slices with the outlines of the cord and its gray matter."""
    phantom = make_phantom(contrast="t2s", region="cervical", spacing_mm=(0.4, 0.4, 5.0), fov_mm=(60, 60), noise=0.04, seed=3)
    scan = phantom.image.data
    result = segment_gray_matter(nib.Nifti1Image(scan, phantom.image.affine))
    masks = [(np.asanyarray(result.cord.dataobj), CORD), (np.asanyarray(result.mask.dataobj), GRAY_MATTER)]
    views = []
    for k in np.linspace(2, scan.shape[2] - 3, 4).round().astype(int):
        x, y = (int(c) for c in ndimage.center_of_mass(phantom.cord.data[:, :, k]))
        part = (slice(x - 22, x + 23), slice(y - 22, y + 23), k)
        # Rows from front to back, columns from right to left.
        turned = [plane[part].T[::-1] for plane in (scan, *(mask for mask, _ in masks))]
        views.append(outlined(turned[0], [(plane, color) for plane, (_, color) in zip(turned[1:], masks, strict=True)], 6))
    return views


def picture() -> Image.Image:
    """Return the sagittal view, and beside it four axial ones."""
    spine = Image.fromarray(sagittal_view())
    spine = spine.resize((round(spine.width * 2 * HEIGHT / spine.height * 0.75), HEIGHT))
    axial = [Image.fromarray(view).resize((HEIGHT // 2 - 4, HEIGHT // 2 - 4)) for view in axial_views()]
    whole = Image.new("RGB", (spine.width + HEIGHT + 8, HEIGHT), "white")
    whole.paste(spine, (0, 0))
    for n, view in enumerate(axial):
        whole.paste(view, (spine.width + 8 + (n % 2) * (HEIGHT // 2), (n // 2) * (HEIGHT // 2 + 4)))
    return whole


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    picture().save(PICTURE, optimize=True)
