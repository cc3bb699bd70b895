"""The cord's measures, slice by slice, with their standard errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spineseg_cli.morphometry.outline.binary import is_resolved, refine_sections
from spineseg_cli.morphometry.outline.polar import QUADRANTS, Rays, make_rays, quadrant_shares, solidity, symmetry, trace_outline
from spineseg_cli.morphometry.outline.slack import Slack
from spineseg_cli.morphometry.sections.frame import CordFrame, SliceGrid, fit_frame
from spineseg_cli.morphometry.sections.mask import CordMask
from spineseg_cli.morphometry.sections.moments import Sections, edge_width, measure_sections, section_covariance
from spineseg_cli.morphometry.smoothing import fit_smooth
from spineseg_cli.morphometry.uncertainty import (
    LEAST_GAIN,
    grid_correlation,
    lattice_sd,
    neighborhood,
    outline_sd,
    standard_errors,
)

# An end slice is incomplete if its area is below this fraction of that of the first slice beyond the reach of the end; a healthy
# cord tapers less over a slice.
INCOMPLETE_FRACTION = 0.85

# Typical scatter of the second moments over their trace from slice to slice, with voxels of 0.5 mm.
MOMENTS_SD = 0.01

# Weight of a cut or incomplete slice in the fit of the centerline.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class Profile:
    """Measures of the cord in n slices, from inferior to superior.

    Attributes
    ----------
    slices : ndarray of int, shape (n,)
        Indices of the axial slices with cord, 0 for the most inferior one of the volume.
    values, errors, shared : mapping of str to ndarray, shape (n,)
        Measures by the names of `tables.columns.MEASURES`, their standard errors, and the part of the errors that neighbors
        have in common, which a mean over slices does not reduce; nan where there is none.
    correlation : float
        Correlation of the errors of neighboring slices, without the common part.
    whole : ndarray of bool, shape (n,)
        Whether the slice shows the whole section: neither cut by the border of the image nor by the end of the mask.
    flags : tuple of str, n of them
        The flags of each slice, "" if it has none.
    distance_mm : ndarray, shape (n,)
        Distance along the cord from the top of the mask to the middle of the slice.
    outline_mm : ndarray, shape (n, RAYS)
        The radii of the outline; see `outline.polar.trace_outline`.
    """

    slices: np.ndarray
    values: Mapping[str, np.ndarray]
    errors: Mapping[str, np.ndarray]
    shared: Mapping[str, np.ndarray]
    correlation: float
    whole: np.ndarray
    flags: tuple[str, ...]
    distance_mm: np.ndarray
    frame: CordFrame
    mask: CordMask
    grid: SliceGrid
    rays: Rays
    outline_mm: np.ndarray


def measure_profile(mask: CordMask, centers_mm: np.ndarray | None = None) -> Profile:
    """Return the measures of a clean mask, as `tables.columns.MEASURES` describes them.

    Parameters
    ----------
    centers_mm : ndarray, shape (n, 2), optional
        The centerline in each slice of the mask, x (left) and y (anterior), on its grid; nan where it has none. By default, the
        centers of mass of the mask.

    Returns
    -------
    Profile
        The profile of the slices with cord.
    """
    grid = SliceGrid.of(mask.volume.affine)
    sections = measure_sections(mask.fractions, mask.first_vx, grid)
    refined = not mask.soft and is_resolved(sections, grid)
    slack = None
    if refined:
        sections, slack = refine_sections(sections, mask, grid)
    position = mask.slices * grid.step_mm
    frame, whole = _fit(position, sections, centers_mm, mask.at_border, grid)
    if slack and centers_mm is None:
        frame = frame.with_doubt(slack.slope_sd)
    covariance = section_covariance(sections, frame, grid)
    orientation, orientation_se = _orientation_deg(position, covariance, whole)
    rays = make_rays(grid, frame, np.where(np.isfinite(sections.centers_mm), sections.centers_mm, 0), orientation, mask.slices)
    outline = trace_outline(mask, rays)
    values = _values(sections, frame, covariance, orientation, outline, grid)
    noise = _noise(values, position, frame, mask, grid, slack)
    doubt = outline_sd(_perimeter_mm(values), edge_width(sections, frame, grid)[1] if mask.soft else 0.0)
    kept = sections.area_mm2 > 0
    weights = (whole if whole.any() else kept).astype(float)
    errors, shared, correlation = standard_errors(values, noise, doubt, orientation_se, position, weights, frame)
    errors["volume_mm3"], shared["volume_mm3"] = (part["area_mm2"] * values["length_mm"] for part in (errors, shared))
    along = frame.stretch * grid.step_mm  # gaps in the mask count
    distance = np.cumsum(along[::-1])[::-1] - along / 2
    return Profile(
        slices=mask.slices[kept],
        values={name: column[kept] for name, column in values.items()},
        errors={name: errors[name][kept] for name in values},
        shared={name: shared[name][kept] for name in values},
        correlation=correlation,
        whole=whole[kept],
        flags=tuple(flag for flag, keep in zip(_flags(mask, whole), kept, strict=True) if keep),
        distance_mm=distance[kept],
        frame=frame.of_slices(kept),
        mask=mask.of_slices(kept),
        grid=grid,
        rays=Rays(rays.origins_vx[kept], rays.steps_vx[kept]),
        outline_mm=outline[kept],
    )


def _fit(position: np.ndarray, sections: Sections, centers: np.ndarray | None, at_border: np.ndarray, grid: SliceGrid):
    """Return the frame, and which slices show the whole section; if some do not, the frame is fitted again without them."""
    filled = sections.area_mm2 > 0
    whole = filled & ~at_border
    points = sections.centers_mm if centers is None else centers
    for _ in range(2):
        known = np.isfinite(points).all(axis=1)
        weights = np.where(known & filled, np.where(whole, 1.0, LEAST_WEIGHT), 0.0)
        if not weights.any():
            weights, points = filled.astype(float), sections.centers_mm
        frame = fit_frame(position, points, weights)
        whole = filled & ~at_border & ~_incomplete(sections, frame, grid)
    return frame, whole


def _incomplete(sections: Sections, frame: CordFrame, grid: SliceGrid) -> np.ndarray:
    """Return which slices may be cut by an end of the mask, and are smaller than those further in.

    An end perpendicular to a cord of diameter d and slope s cuts slices within d s of the slice in which it lies.
    """
    area = sections.area_mm2
    filled = np.flatnonzero(area > 0)
    out = np.zeros(len(area), bool)
    slope = np.sqrt(frame.stretch**2 - 1)
    diameter = np.sqrt(4 * np.median(area[filled]) / np.pi)
    for order in (filled, filled[::-1]):
        reach = 1 + int(np.ceil(diameter * slope[order[0]] / grid.step_mm))
        if reach < len(order):
            out[order[:reach]] |= area[order[:reach]] < INCOMPLETE_FRACTION * area[order[reach]]
    return out


def _orientation_deg(position: np.ndarray, covariance: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotation of the section's axes from left toward anterior, degrees from -45 to 45, and its standard error.

    The second moments over their trace are smoothed along the cord, so that a nearly round section gets its neighbors' axes.
    """
    trace = np.trace(covariance, axis1=1, axis2=2)
    parts = np.stack([covariance[:, 0, 0] - covariance[:, 1, 1], 2 * covariance[:, 0, 1]], axis=-1) / trace[:, None]
    known = np.isfinite(parts).all(axis=1)
    weights = np.where(known, np.where(whole, 1.0, LEAST_WEIGHT), 0.0)
    fit = fit_smooth(position, parts, weights, prior_sd=MOMENTS_SD)
    wide, skew = fit.values.T
    angle = 0.5 * np.arctan2(skew * np.where(wide < 0, -1, 1), np.abs(wide))
    error = 0.5 * np.arctan2(fit.values_se[:, 1], np.hypot(wide, skew))
    return np.rad2deg(angle), np.rad2deg(error)


def _values(sections, frame, covariance, orientation, outline, grid) -> dict[str, np.ndarray]:
    area = sections.area_mm2 / frame.stretch
    turn = np.deg2rad(orientation)
    axes = np.stack([np.stack([np.cos(turn), np.sin(turn)], -1), np.stack([-np.sin(turn), np.cos(turn)], -1)], 1)
    moments = np.einsum("nai,nij,naj->na", axes, covariance, axes)
    width, depth = 4 * np.sqrt(moments).T
    left_right, front_back = symmetry(outline)
    shares = quadrant_shares(outline)
    short, long = np.minimum(width, depth), np.maximum(width, depth)
    filled = sections.area_mm2 > 0
    length = np.where(filled, frame.stretch * grid.step_mm, 0.0)
    return {
        "area_mm2": area,
        "diameter_AP_mm": depth,
        "diameter_RL_mm": width,
        "compression_ratio": depth / width,
        "eccentricity": np.sqrt(1 - (short / long) ** 2),
        "orientation_deg": orientation,
        "solidity": solidity(outline),
        "symmetry_dice_RL": left_right,
        "symmetry_dice_AP": front_back,
        **{f"area_quadrant_{name}_mm2": area * share for name, share in zip(QUADRANTS, shares.T, strict=True)},
        "angle_AP_deg": frame.angles_deg[:, 0],
        "angle_RL_deg": frame.angles_deg[:, 1],
        "length_mm": length,
        "volume_mm3": sections.area_mm2 * grid.step_mm,
    }


def _perimeter_mm(values: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.nan_to_num(np.pi * np.sqrt((values["diameter_AP_mm"] ** 2 + values["diameter_RL_mm"] ** 2) / 2))


def _noise(values, position, frame: CordFrame, mask: CordMask, grid: SliceGrid, slack: Slack | None) -> np.ndarray:
    """Return the standard deviation of the area, mm2, due to the voxels alone, shape (n,).

    The error of a smooth outline is less than that of counting if the neighbors lie differently on the grid, but not less than
    its slack.
    """
    perimeter = _perimeter_mm(values)
    noise = lattice_sd(perimeter, grid.pixel_mm2, mask.soft)
    if slack is None:
        return noise
    sizes = np.column_stack([values["diameter_RL_mm"], values["diameter_AP_mm"]])
    near, alike = neighborhood(position), grid_correlation(frame.centers_mm, sizes, np.diag(grid.matrix)[:2])
    gain = np.sqrt(np.maximum((near * alike).sum(axis=1) / near.sum(axis=1), LEAST_GAIN**2))
    return np.maximum(noise * gain, perimeter * slack.radius_sd_mm)


def _flags(mask: CordMask, whole: np.ndarray) -> list[str]:
    said = {
        "at_border": mask.at_border,
        "incomplete_end": ~whole & ~mask.at_border,
        "holes_filled": mask.filled_vx > 0,
        "several_pieces": mask.pieces > 1,
    }
    return [";".join(name for name, where in said.items() if where[i]) for i in range(len(whole))]
