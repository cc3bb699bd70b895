"""The methods of `seg_cord`: one registry, to which other packages may add (group `spineseg.cord_methods`)."""

from __future__ import annotations

from spineseg_cli.core.registry import Entry, Registry

# Each is a function of a scan that takes a `localizer` and a `threshold`, and returns a `Segmentation`. The localizer is None
# where the user names no centerline; for the method "network", which needs a predictor too, the task makes one.
CORD_METHODS = Registry(
    "cord_methods",
    {
        "network": Entry("spineseg_cli.tasks.cord:segment_cord", "the cord's networks"),
        "propseg": Entry(
            "spineseg_cli.tasks.propseg:propagate_cord",
            "an outline carried from slice to slice, from a Hough transform or, with --centerline, from there; for comparison",
        ),
    },
)
