"""The figure of measures along the cord, read from the axes of matplotlib."""

import numpy as np

from spineseg_cli.reports.pictures.cord_profile import ESTIMATED, draw_profile

BOUNDS = {"top": (10.0, 4.0, 17.0), "bottom": (30.0, 22.0, 45.0)}


def make_rows(*, estimated):
    """Rows of 40 slices of 1 mm, whose edge is not seen in the upper ten, and one of their level."""
    common = {"level": "C3", "level_kind": "spinal_estimate", "length_mm": 1.0, "n_slices": 1}
    measures = {
        name + end: 70.0 for name in ("area_mm2", "area_edge_mm2", "diameter_RL_mm", "diameter_AP_mm") for end in ("", "_se")
    }
    rows = [
        common | measures | {"scope": "slice", "distance_from_top_mm": i, "flags": "edge_not_visible" if i < 10 else ""}
        for i in np.arange(40.0)
    ]
    level = common | measures | {"scope": "level", "distance_from_top_mm": 20.0, "flags": ""}
    if estimated:
        level |= {
            f"segment_{end}{side}_mm": value
            for end, values in BOUNDS.items()
            for side, value in zip(("", "_low", "_high"), values, strict=True)
        }
    return [*rows, level]


def test_estimated_segments_have_intervals_and_are_called_estimated():
    figure = draw_profile(make_rows(estimated=True), title="t2.nii.gz")
    drawn = [line.get_xdata().tolist() for line in figure.axes[0].lines if line.get_label().startswith("_")]
    assert [4.0, 17.0] in drawn
    assert [22.0, 39.0] in drawn, "up to the end of the cord in view"
    assert figure.get_suptitle() == f"t2.nii.gz\n{ESTIMATED}"
    known = draw_profile(make_rows(estimated=False), title="t2.nii.gz")
    assert known.get_suptitle() == "t2.nii.gz"


def test_an_edge_that_is_not_seen_is_not_drawn():
    figure = draw_profile(make_rows(estimated=False))
    shown = {line.get_label(): np.isfinite(line.get_ydata()).sum() for line in figure.axes[0].lines}
    assert (shown["mask"], shown["image's edge"]) == (40, 30)
