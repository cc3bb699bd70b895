"""All measures of a cord: the Python function behind the command `measure_cord`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.centers import centers_from_mask
from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.edge.area import EdgeArea, measure_edge
from spineseg_cli.morphometry.levels.labels import levels_from_discs, levels_from_map
from spineseg_cli.morphometry.levels.names import NAMES
from spineseg_cli.morphometry.levels.segments import Segments, estimate_segments
from spineseg_cli.morphometry.profile import Profile, measure_profile
from spineseg_cli.morphometry.sections.frame import SliceGrid
from spineseg_cli.morphometry.sections.mask import CordMask, clean_cord, read_fractions
from spineseg_cli.morphometry.uncertainty import lattice_sd, neighborhood, scatter_sd


@dataclass(frozen=True)
class CordMeasures:
    """The cord's profile, and the optional results.

    Attributes
    ----------
    profile : Profile
        The measures of each slice, such as `profile.values["area_mm2"]`.
    levels : ndarray of int, shape (n,), or None
        The level of each slice, 0 for none.
    level_kind : str
        The kind of levels, a key of `levels.names.NAMES`; "" without levels.
    edge : EdgeArea or None
        The area inside the image's edge.
    segments : Segments or None
        Estimated boundaries of the spinal segments.
    """

    profile: Profile
    levels: np.ndarray | None = None
    level_kind: str = ""
    edge: EdgeArea | None = None
    segments: Segments | None = None


def measure_cord(
    cord: Volume,
    *,
    gray: Volume | None = None,
    white: Volume | None = None,
    image: Volume | None = None,
    centerline: Volume | None = None,
    levels: Volume | None = None,
    discs: Volume | None = None,
    level_kind: str = "vertebral",
    estimate_levels: bool = False,
) -> CordMeasures | None:
    """Measure a cord's mask along the cord; None if no voxel of the mask is at least half filled.

    All volumes are on one voxel grid, stored in any orientation. `spineseg_cli.core.image.nifti.read_volume` reads them.

    Parameters
    ----------
    cord : Volume
        The cord's mask: binary, soft (the share of each voxel that is cord, 0 to 1), or labels (all above 0).
    gray, white : Volume, optional
        Masks of gray and white matter.
    image : Volume
        The scan, for the area inside its own edge, `area_edge_mm2`.
    centerline : Volume, optional
        A mask of the centerline, or a better mask of the cord, that gives the cord's direction instead of `cord`.
    levels : Volume, optional
        Levels of SCT, or TotalSpineSeg's labels; see `levels.labels.levels_from_map`.
    discs : Volume, optional
        Labels of discs, instead of `levels`; see `levels.labels.levels_from_discs`.
    level_kind : {"vertebral", "spinal"}
        The kind of levels in the map.
    estimate_levels : bool
        Whether to estimate spinal segments from the cord alone, instead of `levels`; experimental. See `levels.segments`.

    Raises
    ------
    InputError
        If a volume is not of the kind described.
    GridMismatchError
        If a volume is on another grid than `cord`.
    """
    if (levels is not None) + (discs is not None) + estimate_levels > 1:
        raise InputError("expected one of levels, discs and their estimate; got several: choose one")
    fractions = read_fractions(cord, "the cord mask")
    others = {
        "gray matter": gray,
        "white matter": white,
        "image": image,
        "centerline": centerline,
        "levels": levels,
        "discs": discs,
    }
    turned = {name: to_rpi(volume, copy=False) for name, volume in others.items() if volume is not None}
    for name, volume in turned.items():
        check_same_grid(fractions, volume, "the cord mask", f"the {name}")
    mask = clean_cord(fractions)
    if mask is None:
        return None
    profile = measure_profile(mask, _centers(turned.get("centerline"), mask))
    profile = _with_tissues(profile, turned.get("gray matter"), turned.get("white matter"))
    edge = None
    if image is not None:
        edge = measure_edge(profile, turned["image"])
        profile = _with_edge(profile, edge)
    numbers = segments = None
    if levels is not None:
        numbers = levels_from_map(profile, turned["levels"])
    elif discs is not None:
        numbers, level_kind = levels_from_discs(profile, turned["discs"]), "vertebral"
    elif estimate_levels:
        (segments, numbers), level_kind = estimate_segments(profile), "spinal_estimate"
    if level_kind not in NAMES:
        raise InputError(f"expected levels of the kind {' or '.join(NAMES)}; got {level_kind!r}")
    return CordMeasures(profile, numbers, level_kind if numbers is not None else "", edge, segments)


def _centers(centerline: Volume | None, mask: CordMask) -> np.ndarray | None:
    """Return the centerline in each slice of the mask, mm, shape (n, 2); nan where it has none."""
    if centerline is None:
        return None
    centers, known = centers_from_mask(centerline)
    points = np.column_stack([centers, np.arange(len(centers))]) @ SliceGrid.of(mask.volume.affine).matrix[:2].T
    outside = np.ones(len(points), bool)
    outside[known.start : known.stop] = False
    points[outside] = np.nan
    return points[mask.slices]


def _with_tissues(profile: Profile, gray: Volume | None, white: Volume | None) -> Profile:
    """Return a profile with the areas of gray and white matter; without a mask of white matter, it is cord less gray matter.

    A mask of white matter that is the rest of the cord gives the same: see `_with_cord_outline`. It also fills the cord in slices
    in which no gray matter was segmented; the area of white matter is not known there.
    """
    areas = {}
    for name, volume in (("gray", gray), ("white", white)):
        if volume is not None:
            areas[name] = _tissue_area(profile, read_fractions(volume, f"the {name} matter"))
    cord, cord_se = profile.values["area_mm2"], profile.errors["area_mm2"]
    if "gray" in areas and "white" not in areas:
        area, error = areas["gray"]
        areas["white"] = cord - area, np.hypot(error, cord_se)
    elif "white" in areas:
        gray_area = areas["gray"][0] if "gray" in areas else np.zeros_like(cord)
        area, error = areas["white"]
        areas["white"] = _with_cord_outline(profile, area, gray_area), error
    columns = {f"area_{name}_mm2": pair for name, pair in areas.items()}
    if "gray" in areas:
        area, error = areas["gray"]
        ratio = area / cord
        columns["gray_cord_ratio"] = ratio, ratio * np.hypot(error / np.maximum(area, 1e-9), cord_se / cord)
    shared = {name: values * profile.frame.cosine_relative_se for name, (values, _) in columns.items()}
    return _with_columns(profile, columns, shared)


def _with_cord_outline(profile: Profile, white: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """Return areas of white matter, mm2, inside the outline of the cord instead of that of its voxels; nan where gray is nan.

    A tissue's voxels are counted, but the area of a binary cord mask is that of a smooth outline, and holes in it are filled. As
    far as gray and white matter fill the cord, by which the difference is weighted, the outline of white matter is the cord's.
    """
    voxels = profile.mask.fractions.sum(axis=(0, 1), dtype=float) * profile.grid.pixel_mm2 / profile.frame.stretch
    filled = np.minimum((white + gray) / voxels, 1)
    return white + filled * (profile.values["area_mm2"] - voxels)


def _tissue_area(profile: Profile, fractions: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Return a tissue's area perpendicular to the cord and its standard error, shape (n,); nan in slices without any."""
    data = np.clip(fractions.data[:, :, profile.slices], 0, 1, dtype=np.float32)
    area = data.sum(axis=(0, 1), dtype=float) * profile.grid.pixel_mm2 / profile.frame.stretch
    area = np.where(area > 0, area, np.nan)
    # The outline of gray matter, a butterfly, is about twice as long as that of a disc of the same area.
    outline = 2 * np.sqrt(4 * np.pi * np.nan_to_num(area))
    soft = bool(((data > 0) & (data < 1)).any())
    least = lattice_sd(outline, profile.grid.pixel_mm2, soft)
    position = profile.frame.position_mm
    scatter, _ = scatter_sd(position, area, profile.whole.astype(float), least, neighborhood(position))
    return area, np.hypot(scatter, area * profile.frame.cosine_relative_se)


def _with_edge(profile: Profile, edge: EdgeArea) -> Profile:
    flags = tuple(
        ";".join(filter(None, (flag, "" if seen else "edge_not_visible")))
        for flag, seen in zip(profile.flags, edge.is_visible, strict=True)
    )
    columns = {"area_edge_mm2": (edge.area_mm2, edge.error)}
    return replace(_with_columns(profile, columns, {"area_edge_mm2": edge.shared}), flags=flags)


def _with_columns(profile: Profile, columns: Mapping[str, tuple[np.ndarray, np.ndarray]], shared: Mapping[str, np.ndarray]):
    values = {name: value for name, (value, _) in columns.items()}
    errors = {name: error for name, (_, error) in columns.items()}
    return replace(
        profile, values={**profile.values, **values}, errors={**profile.errors, **errors}, shared={**profile.shared, **shared}
    )
