"""The figure of measures along the cord, read from the axes of matplotlib."""

import numpy as np

from spineseg_cli.reports.pictures.cord_profile import ESTIMATED, SHOWN_CHANGE, draw_profile

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


def test_neighboring_texts_do_not_overlap_and_a_zero_has_no_minus():
    """Segments of 6 mm at the tip of a cord of 450 mm: their names and their changes are narrower than the text."""
    segments = {"L5": range(30, 450)} | {f"S{number}": range(30 - 6 * number, 36 - 6 * number) for number in range(1, 6)}
    blank = make_rows(estimated=False)[20]
    level_of = {i: name for name, of in segments.items() for i in of}
    rows = [blank | {"slice": str(i), "distance_from_top_mm": 449.0 - i, "level": level_of[i]} for i in range(449, -1, -1)]
    for name, of in sorted(segments.items()):  # from the top
        middle = 449.0 - float(np.mean(of))
        rows.append(blank | {"scope": "level", "slice": f"{of[0]}:{of[-1]}", "level": name, "distance_from_top_mm": middle})
    figure = draw_profile(rows, baseline=[row | {"area_mm2": 70.0001, "area_mm2_se": 200.0} for row in rows])
    figure.canvas.draw()
    texts = [text for axes in figure.axes for text in axes.texts]
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) == 2 * len(segments)
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert {text.get_text().split("\n")[0] for text in figure.axes[-1].texts} == {"+0.0"}
    assert max(np.abs(figure.axes[-1].get_ylim())) <= SHOWN_CHANGE
