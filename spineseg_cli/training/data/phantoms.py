"""Label slices from phantoms: cords of all levels and sizes in the neck and trunk, and structures that look like a cord."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from spineseg_cli.core.image.slice_windows import windows_around
from spineseg_cli.core.localization.centers import centers_from_slices
from spineseg_cli.synthesis.anatomy import CONUS_TIP_MM
from spineseg_cli.synthesis.brainstem import brainstem_sections
from spineseg_cli.synthesis.generator import LabelSlice
from spineseg_cli.synthesis.phantom import Phantom, make_phantom
from spineseg_cli.synthesis.roots import roots_about
from spineseg_cli.synthesis.scanner import Tissue

# Distances of the sections of whole cords, and of the cauda equina.
WHOLE_STEP_MM, CAUDA_STEP_MM = 12.0, 6.0

# The distance below the tip of the conus at which sections without cord begin, which is safe for any curvature and size, and the
# length of the part that is taken.
CONUS_MARGIN_MM = 15.0
CAUDA_LENGTH_MM = 60.0

# The range of sections around the conus: from the lumbosacral enlargement above its tip to below it.
CONUS_ABOVE_MM, CONUS_BELOW_MM = 70.0, 20.0

# Sections with a smaller cord than this are near the tip of the conus, and are taken this number of times with different roots.
TIP_AREA_MM2, TIP_DRAWS = 40.0, 4

# Length of a stack.
STACK_MM = 60.0

# Sizes from children to tall adults, which phantoms have in turn.
SIZE_SCALES = (1.0, 0.75, 1.1, 0.85, 0.65, 0.95)


def phantom_slices(subjects: int, spacing_mm: float, side_mm: float) -> list[LabelSlice]:
    """Return axial sections of whole cords, from C1 to the conus, at distances of `WHOLE_STEP_MM`.

    `spacing_mm` and `side_mm` are the in-plane voxel size and the side of the slices.
    """
    slices = []
    for seed in range(subjects):
        phantom = _phantom(seed, "whole", spacing_mm, side_mm, WHOLE_STEP_MM)
        has_both = phantom.cord.data.any(axis=(0, 1)) & phantom.gray_matter.data.any(axis=(0, 1))
        slices.extend(_sections(phantom, np.flatnonzero(has_both), phantom.cord.data > 0))
    return slices


def phantom_stacks(count: int, spacing_mm: float, side_mm: float) -> list[list[LabelSlice]]:
    """Return stacks of neighboring sections of `STACK_MM`: around the conus, in the neck and in the thorax in turn.

    The distance of slices is the voxel size. Stacks around the conus continue below the cord.
    """
    stacks = []
    for seed in range(count):
        scale = _size_scale(seed)
        start_mm = (CONUS_TIP_MM * scale - 35.0, 10.0 + 20.0 * seed, 220.0 * scale + 10.0 * seed)[seed % 3]
        phantom = _phantom(seed, (start_mm, start_mm + STACK_MM), spacing_mm, side_mm, spacing_mm)
        sac = _sac(phantom)
        stacks.append(_sections(phantom, np.flatnonzero(sac.any(axis=(0, 1))), sac))
    return stacks


def cauda_equina_slices(subjects: int, spacing_mm: float, side_mm: float) -> list[LabelSlice]:
    """Return axial sections below the conus, with nerve roots but without cord. Parameters are those of `phantom_slices`."""
    slices = []
    for seed in range(subjects):
        start_mm = (CONUS_TIP_MM + CONUS_MARGIN_MM) * _size_scale(seed)
        phantom = _phantom(seed, (start_mm, start_mm + CAUDA_LENGTH_MM), spacing_mm, side_mm, CAUDA_STEP_MM)
        sac = np.isin(phantom.labels.data, (Tissue.CSF, Tissue.ROOT))
        without_cord = sac.any(axis=(0, 1)) & ~phantom.cord.data.any(axis=(0, 1))
        slices.extend(_sections(phantom, np.flatnonzero(without_cord), sac))
    return slices


def conus_slices(subjects: int, spacing_mm: float, side_mm: float, step_mm: float = 2.0) -> list[LabelSlice]:
    """Return axial sections from the lumbosacral enlargement to below the conus, with roots against the cord.

    Parameters are those of `phantom_slices`; for the roots see `synthesis.roots`.
    """
    slices: list[LabelSlice] = []
    for seed in range(subjects):
        tip_mm = CONUS_TIP_MM * _size_scale(seed)
        phantom = _phantom(seed, (tip_mm - CONUS_ABOVE_MM, tip_mm + CONUS_BELOW_MM), spacing_mm, side_mm, step_mm)
        sac, rng = _sac(phantom), np.random.default_rng(seed)
        sections = _sections(phantom, np.flatnonzero(sac.any(axis=(0, 1))), sac)
        slices.extend(_with_roots(section, rng) for section in sections for _ in range(_draws(section)))
    return slices


def _draws(section: LabelSlice) -> int:
    """Return the number of times that a section is taken, each time with other roots: more often near the tip of the conus."""
    area_mm2 = section.cord.sum() * section.spacing_mm**2
    return TIP_DRAWS if 0 < area_mm2 < TIP_AREA_MM2 else 1


def _with_roots(section: LabelSlice, rng: np.random.Generator) -> LabelSlice:
    assert section.canal is not None  # phantoms have one, and surroundings
    assert section.surroundings is not None
    roots = roots_about(section.cord > 0.5, section.spacing_mm, rng) & (section.canal > 0.5)
    surroundings: np.ndarray = np.where(roots, np.uint8(Tissue.ROOT), section.surroundings)
    return replace(section, surroundings=surroundings)


def brainstem_slices(count: int, spacing_mm: float, side_mm: float) -> list[LabelSlice]:
    """Return `count` sections of the medulla and pons, which are not cord: see `synthesis.brainstem`."""
    sections = brainstem_sections(count, size=round(side_mm / spacing_mm), spacing_mm=spacing_mm)
    return [
        LabelSlice(brainstem, nuclei, canal, surroundings, is_cord=False, spacing_mm=spacing_mm)
        for brainstem, nuclei, canal, surroundings in sections
    ]


def _sac(phantom: Phantom) -> np.ndarray:
    return np.isin(phantom.labels.data, (Tissue.CSF, Tissue.ROOT)) | (phantom.cord.data > 0)


def _size_scale(seed: int) -> float:
    return SIZE_SCALES[seed % len(SIZE_SCALES)]


@cache  # several sources of a configuration may use the same phantom
def _phantom(seed: int, region: str | tuple[float, float], spacing_mm: float, side_mm: float, step_mm: float) -> Phantom:
    return make_phantom(
        region=region,
        spacing_mm=(spacing_mm, spacing_mm, step_mm),
        fov_mm=(side_mm, side_mm),
        size_scale=_size_scale(seed),
        seed=seed,
    )


def _sections(phantom: Phantom, slices: np.ndarray, centered_on: np.ndarray) -> list[LabelSlice]:
    """Return some sections of a phantom, centered on the center of mass of a mask in each, shape (nx, ny, nz), bool."""
    if not len(slices):
        return []
    centers = centers_from_slices(centered_on, slices)
    spacing_mm = phantom.cord.spacing_mm[0]
    windows = windows_around(phantom.cord, centers, spacing_mm, phantom.cord.shape[0])
    cord, gray, csf = (
        windows.extract(part.astype(np.float32), slices)
        for part in (phantom.cord.data, phantom.gray_matter.data, phantom.labels.data == Tissue.CSF)
    )
    canal = np.clip(cord + csf, 0, 1)
    around = windows.extract(phantom.labels.data.astype(np.float32), slices).round().astype(np.uint8)
    return [LabelSlice(*parts, spacing_mm=spacing_mm) for parts in zip(cord, gray, canal, around, strict=True)]
