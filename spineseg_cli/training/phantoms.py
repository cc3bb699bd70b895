"""Label slices from phantoms: cords of every level and size, with the neck and trunk around them."""

from __future__ import annotations

import numpy as np

from spineseg_cli.core.cropping import windows_around
from spineseg_cli.synthesis.contrast import Tissue
from spineseg_cli.synthesis.generator import SPACING_MM, LabelSlice
from spineseg_cli.synthesis.phantom import make_phantom

# 80 mm: spine, muscles, and part of the airway or the great vessels.
WINDOW = 320

# Children to tall adults; one size a phantom, in turn.
SIZE_SCALES = (1.0, 0.75, 1.1, 0.85, 0.65, 0.95)


def phantom_slices(subjects: int, step_mm: float = 12.0, surroundings: bool = True) -> list[list[LabelSlice]]:
    """Return axial sections of whole cords, C1 to the conus, `step_mm` apart, of `subjects` phantoms.

    Returns
    -------
    list of list of LabelSlice
        One list a phantom; slices have shape (320, 320).
    """
    return [_sections(seed, step_mm, surroundings) for seed in range(subjects)]


def _sections(seed: int, step_mm: float, surroundings: bool) -> list[LabelSlice]:
    side_mm = WINDOW * SPACING_MM
    phantom = make_phantom(
        region="whole",
        spacing_mm=(SPACING_MM, SPACING_MM, step_mm),
        fov_mm=(side_mm, side_mm),
        size_scale=SIZE_SCALES[seed % len(SIZE_SCALES)],
        seed=seed,
    )
    slices = np.flatnonzero(phantom.cord.data.any(axis=(0, 1)) & phantom.gray_matter.data.any(axis=(0, 1)))
    centres = np.zeros((phantom.cord.shape[2], 2))
    for k in slices:
        centres[k] = np.argwhere(phantom.cord.data[:, :, k] > 0).mean(axis=0)
    windows = windows_around(phantom.cord, centres, SPACING_MM, WINDOW)
    cord, gray, csf = (
        windows.extract(part.astype(np.float32), slices)
        for part in (phantom.cord.data, phantom.gray_matter.data, phantom.labels.data == Tissue.CSF)
    )
    canal = np.clip(cord + csf, 0, 1)
    around = windows.extract(phantom.labels.data.astype(np.float32), slices).round().astype(np.uint8) if surroundings else None
    return [
        LabelSlice(c, g, a, None if around is None else around[k])
        for k, (c, g, a) in enumerate(zip(cord, gray, canal, strict=True))
    ]
