"""The measures: their names, units and descriptions, and how they are combined over slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spineseg_cli.morphometry.outline.polar import QUADRANTS


@dataclass(frozen=True)
class Column:
    """A column of the table: its description, its units (as in BIDS), and whether slices are summed."""

    description: str
    units: str = ""
    is_sum: bool = False


_ELLIPSE = "of the ellipse with the section's second moments (4 times their square root), as in SCT and scikit-image"
CORD_MEASURES: dict[str, Column] = {
    "area_mm2": Column("Area of the cord perpendicular to its direction", "mm^2"),
    "diameter_AP_mm": Column(f"Anteroposterior diameter {_ELLIPSE}", "mm"),
    "diameter_RL_mm": Column(f"Right-left diameter {_ELLIPSE}", "mm"),
    "compression_ratio": Column("diameter_AP_mm over diameter_RL_mm"),
    "eccentricity": Column("Of the same ellipse: sqrt(1 - (short axis / long axis)^2)"),
    "orientation_deg": Column("Turn of the section's right-left axis, from left towards anterior, smooth along the cord", "deg"),
    "solidity": Column("Area over the area of the convex hull"),
    "symmetry_dice_RL": Column("Dice coefficient of the section and its mirror image from left to right"),
    "symmetry_dice_AP": Column("Dice coefficient of the section and its mirror image from front to back"),
    **{f"area_quadrant_{name}_mm2": Column(f"Area of the {name.replace('_', ' ')} quadrant", "mm^2") for name in QUADRANTS},
    "angle_AP_deg": Column("Angle about the AP axis between cord and slice normal; above 0, the cord runs up and left", "deg"),
    "angle_RL_deg": Column("Angle about the RL axis between cord and slice normal; above 0, the cord runs up and forward", "deg"),
    "length_mm": Column("Length of cord", "mm", is_sum=True),
    "volume_mm3": Column("Volume of cord", "mm^3", is_sum=True),
}

MEASURES: dict[str, Column] = CORD_MEASURES | {
    "area_gray_mm2": Column("Area of gray matter perpendicular to the cord", "mm^2"),
    "area_white_mm2": Column(
        "Area of white matter perpendicular to the cord, in slices with gray matter if that is given; without a mask of white "
        "matter, cord less gray matter",
        "mm^2",
    ),
    "gray_cord_ratio": Column("area_gray_mm2 over area_mm2"),
    "area_edge_mm2": Column(
        "Area inside the steepest intensity step of the image around the mask, perpendicular to the cord", "mm^2"
    ),
}

SEGMENT = "segment_"
KEYS: dict[str, Column] = {
    "file": Column("Mask that was measured"),
    "sub": Column("Subject, from the file's name"),
    "ses": Column("Session, from the file's name"),
    "run": Column("Run, from the file's name"),
    "scope": Column("slice, level, range or whole: what the row is the mean of (length and volume: the sum)"),
    "slice": Column("Axial slices, 0 the most inferior"),
    "level": Column(
        "Vertebral or spinal levels, or the whole of them in a range; lumbar_peak: 10 mm where the lumbar cord is largest"
    ),
    "level_kind": Column("vertebral, spinal, or spinal_estimate (from the cord alone; experimental)"),
    "n_slices": Column("Slices with the whole section in view, which the means are of"),
    **{
        f"{SEGMENT}{end}{side}_mm": Column(
            f"Estimated {end} of the spinal segment{said}: distance from the top of the mask", "mm"
        )
        for end in ("top", "bottom")
        for side, said in (("", ""), ("_low", ", lower end of the 90 % interval"), ("_high", ", upper end of the 90 % interval"))
    },
    "distance_from_top_mm": Column("Distance of the middle along the cord from the top of the mask", "mm"),
    "flags": Column(
        "What to look at: at_border, incomplete_end (left out of means), holes_filled, several_pieces, edge_not_visible"
    ),
}

SE = "_se"
SD = "_sd"
Z = "_z"
CENTILE = "_centile"
CHANGE = "_change_pct"

# The meaning of suffixes after the name of a measure, and their units; None for the units of the measure.
SUFFIXES: dict[str, tuple[str, str | None]] = {
    Z + SE: ("Standard error of the z-score of", ""),
    CHANGE + SE: ("Standard error of the change since the baseline of", "percent"),
    SE: ("Standard error of", None),
    CHANGE: ("Change since the baseline, at the same places along the cord, of", "percent"),
    SD: ("Standard deviation over slices of", None),
    Z: ("z-score among the norms of", ""),
    CENTILE: ("Centile among the norms, taken for normal, of", ""),
}


def describe(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the BIDS data dictionary of a table's columns: `{name: {"Description": ..., "Units": ...}}`."""
    return {name: _entry(name) for name in names}


def _entry(name: str) -> dict[str, str]:
    for suffix, (said, units) in SUFFIXES.items():
        base = name.removesuffix(suffix)
        if base != name and base in MEASURES:
            return _words(Column(f"{said} {base}", MEASURES[base].units if units is None else units))
    return _words(KEYS.get(name) or MEASURES.get(name) or Column(name))


def _words(column: Column) -> dict[str, str]:
    return {"Description": column.description} | ({"Units": column.units} if column.units else {})
